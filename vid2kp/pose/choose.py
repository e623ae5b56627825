"""Which of the people in a video is the infant, and why.

An identity ends when its person is not seen for a second, so one infant may have several. First
the identities that follow each other in the same place are joined into people; then every person
gets a score of five parts, each in [0, 1], and the best is the infant. Somebody with nearly the
same score makes the frames in which both are seen ambiguous.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from vid2kp.pose.identity import IdentityStatistics, RunningMean

Subject = Literal["certain", "ambiguous", "absent"]

WEIGHTS = {
    "persistence": 0.25,
    "completeness": 0.2,
    "stillness": 0.15,
    "proportions": 0.3,
    "size": 0.1,
}
"""Weight of each part of the score.

- persistence: share of the frames in which the person is seen.
- completeness: share of the keypoints that are found.
- stillness: 1 for a trunk that stays where it is, 0 for one that moves by half the body's size.
- proportions: near 1 for an infant's head in relation to torso and shoulders, near 0 for an
  adult's head and legs.
- size: 1 from a third of the largest person's size on: less is somebody far away, or a doll.
"""

_RIVAL = 0.15
"""A person whose score, while in view, is less than this below the best one's might be the infant
as well."""

_RIVAL_CLARITY = 0.6
"""A person who is seen less clearly than this share of how clearly the infant is seen is a part of
somebody, or of no body at all, and nobody's rival."""

_RIVAL_PERSISTENCE = 0.05
"""A person seen in fewer of the frames is nobody's rival."""

_ADULT_TORSO, _ADULT_PROPORTIONS = 1.4, 0.1
"""Somebody whose torso is so many times as long, and whose proportions are by so much less an
infant's, is an adult beside the infant, and no rival."""

_AS_LARGE = (0.75, 1.33)
"""Somebody whose torso is between so many times as long may be a twin whose face is hidden: few
adults look that small, and proportions are hard to tell from behind."""

_AFAR = "Ambiguous where somebody else with nearly the same score is in the whole frame"

# Lengths in torsos (neck to middle of the hips): ear to ear, and hip to ankle, of adults (Drillis
# and Contini 1966) and of infants of three months (Snyder et al. 1977), in round numbers.
_ADULT_HEAD, _INFANT_HEAD = 0.30, 0.60
_ADULT_LEG, _INFANT_LEG = 1.7, 1.1
# The ears in distances of the shoulders' joints, from the same sources: told even of somebody
# whose hips are out of the picture.
_ADULT_HEAD_TO_SHOULDERS, _INFANT_HEAD_TO_SHOULDERS = 0.40, 0.75


@dataclass(frozen=True)
class JoinOptions:
    """When two identities, one after the other, are the same person.

    Attributes:
        place: the middles of the trunks are this far apart at most, in sizes of the body.
        away: the same for somebody who was away for longer than ``long`` seconds.
        long: seconds.
        size_ratio: their sizes differ by no more than this factor.
    """

    place: float = 0.7
    away: float = 1.5
    long: float = 5.0
    size_ratio: float = 1.5


@dataclass(frozen=True)
class Candidate:
    """A person and how much speaks for their being the infant.

    Attributes:
        identities: the numbers that are this person, in the order of time.
        parts: the parts of the score, see `WEIGHTS`, each in [0, 1].
        score: their weighted sum, in [0, 1].
        torso: length of the torso, display pixels; 0 if it was never seen.
        clarity: share of the keypoints that are found, times their mean confidence.
    """

    identities: tuple[int, ...]
    parts: dict[str, float]
    score: float
    torso: float
    clarity: float

    def rivals(self, infant: Candidate) -> bool:
        """Whether this person might be the infant as well, who was chosen or is followed."""
        parts, infants = self.parts, infant.parts
        doubt = {"persistence": infants["persistence"]}  # it is about the time while it is in view
        if _AS_LARGE[0] < self.torso / max(infant.torso, 1e-9) < _AS_LARGE[1]:
            doubt["proportions"] = max(parts["proportions"], 0.5)
        likely = _weighted(parts | doubt)
        adult = (
            self.torso > _ADULT_TORSO * infant.torso
            and parts["proportions"] < infants["proportions"] - _ADULT_PROPORTIONS
        )
        return (
            likely > infant.score - _RIVAL
            and self.clarity > _RIVAL_CLARITY * infant.clarity
            and parts["persistence"] > _RIVAL_PERSISTENCE
            and not adult
        )


@dataclass(frozen=True)
class Choice:
    """Who is who in a video.

    Attributes:
        people: everybody, the infant first, the others by falling score; empty if nobody was seen.
        rivals: numbers of the identities that might be the infant as well.
        reason: why, in plain words for the manifest.
    """

    people: tuple[Candidate, ...]
    rivals: frozenset[int]
    reason: str

    @property
    def infant(self) -> frozenset[int]:
        """Numbers of the identities that are the infant."""
        return frozenset(self.people[0].identities) if self.people else frozenset()

    def with_rivals(self, rivals: frozenset[int]) -> Choice:
        """The same choice with more rivals: people who were seen from afar alone."""
        if not rivals:
            return self
        reason = f"{self.reason[:-1]}. {_AFAR}."
        return replace(self, rivals=self.rivals | rivals, reason=reason)

    def person_of(self, identity: int) -> int | None:
        """Place of an identity's person in ``people`` (0 is the infant), None if forgotten."""
        for place, person in enumerate(self.people):
            if identity in person.identities:
                return place
        return None

    def subject(self, identities: Iterable[int]) -> Subject:
        """How sure it is that the infant is the infant in a frame with these identities."""
        present = set(identities)
        if not present & self.infant:
            return "absent"
        return "ambiguous" if present & self.rivals else "certain"


def choose_infant(
    statistics: Sequence[IdentityStatistics], *, frames: int, options: JoinOptions | None = None
) -> Choice:
    """Chooses the infant from what is known of each identity.

    Args:
        statistics: of all identities, from `Tracker.statistics`.
        frames: number of frames of the video.
        options: when identities are joined.

    Returns:
        The people, the identities that might be the infant as well, and the reason.
    """
    people = _join(statistics, options or JoinOptions())
    if not people:
        return Choice((), frozenset(), "Nobody was seen.")
    largest = max(_mean(person, "size") for person in people)
    candidates = sorted(
        (_candidate(person, frames, largest) for person in people),
        key=lambda candidate: (-candidate.score, candidate.identities),
    )
    rivals = [candidate for candidate in candidates[1:] if candidate.rivals(candidates[0])]
    return Choice(
        tuple(candidates),
        frozenset(identity for rival in rivals for identity in rival.identities),
        _reason(candidates, rivals),
    )


def _join(
    statistics: Sequence[IdentityStatistics], options: JoinOptions
) -> list[list[IdentityStatistics]]:
    """Identities grouped into people, each in the order of time; the longest ones gather others."""
    people: list[list[IdentityStatistics]] = []
    for identity in sorted(statistics, key=lambda s: (-s.frames, s.identity)):
        fitting = [
            (distance, place)
            for place, person in enumerate(people)
            if (distance := _distance(person, identity, options)) is not None
        ]
        if fitting:
            people[min(fitting)[1]].append(identity)
        else:
            people.append([identity])
    return [sorted(person, key=lambda s: s.first_frame) for person in people]


def _distance(
    person: list[IdentityStatistics], identity: IdentityStatistics, options: JoinOptions
) -> float | None:
    """How far an identity is from a person at its ends, in sizes; None if it is another person."""
    before = [s for s in person if s.last_frame < identity.first_frame]
    after = [s for s in person if s.first_frame > identity.last_frame]
    if len(before) + len(after) < len(person):
        return None
    sizes = max(_mean(person, "size"), 1e-9), max(float(identity.size.mean), 1e-9)
    if max(sizes) > options.size_ratio * min(sizes):
        return None
    meetings = []
    if before:
        meetings.append((max(before, key=lambda s: s.last_frame), identity))
    if after:
        meetings.append((identity, min(after, key=lambda s: s.first_frame)))
    distances = []
    for earlier, later in meetings:
        distance = float(np.hypot(*(later.first_centre - earlier.last_centre))) / max(sizes)
        away = later.first_time - earlier.last_time > options.long
        if distance <= (options.away if away else options.place):
            distances.append(distance)
    return min(distances, default=None)


def _candidate(person: list[IdentityStatistics], frames: int, largest: float) -> Candidate:
    """A person with the parts of their score."""
    seen = sum(identity.frames for identity in person)
    parts = {
        "persistence": min(1.0, seen / max(frames, 1)),
        "completeness": _mean(person, "completeness"),
        "stillness": float(np.clip(1 - 2 * _spread(person), 0, 1)),
        "proportions": _proportions(person),
        "size": min(1.0, 3 * _mean(person, "size") / max(largest, 1e-9)),
    }
    identities = tuple(identity.identity for identity in person)
    clarity = parts["completeness"] * _mean(person, "confidence")
    return Candidate(identities, parts, _weighted(parts), _mean(person, "torso"), clarity)


def _weighted(parts: Mapping[str, float]) -> float:
    return sum(weight * parts[name] for name, weight in WEIGHTS.items())


def _mean(person: list[IdentityStatistics], of: str) -> float:
    """Mean of a measure over all frames in which it was taken; 0 if it never was."""
    means: list[RunningMean] = [getattr(identity, of) for identity in person]
    count = sum(mean.count for mean in means)
    return sum((float(mean.mean) * mean.count for mean in means), 0.0) / max(count, 1)


def _spread(person: list[IdentityStatistics]) -> float:
    """How far the trunk moves about within each identity, in sizes of the body."""
    seen = sum(identity.frames for identity in person)
    return sum(identity.spread * identity.frames for identity in person) / max(seen, 1)


def _proportions(person: list[IdentityStatistics]) -> float:
    """1 for an infant's proportions, 0 for an adult's, 0.5 where they were not to be seen.

    Bent legs, and those of somebody cut off by the border, look shorter than they are: a long
    leg speaks for an adult, a short one for nobody.
    """
    parts = []
    for measure, adult, infant, most in (
        ("head", _ADULT_HEAD, _INFANT_HEAD, 1.0),
        ("head_to_shoulders", _ADULT_HEAD_TO_SHOULDERS, _INFANT_HEAD_TO_SHOULDERS, 1.0),
        ("leg", _ADULT_LEG, _INFANT_LEG, 0.5),
    ):
        if any(getattr(identity, measure).count for identity in person):
            share = (_mean(person, measure) - adult) / (infant - adult)
            parts.append(float(np.clip(share, 0, most)))
    return float(np.mean(parts)) if parts else 0.5


def _reason(candidates: list[Candidate], rivals: list[Candidate]) -> str:
    """The choice in plain words."""
    best, others = candidates[0], candidates[1:]
    reason = "The only person seen: " if not others else f"Best of {len(candidates)} people: "
    reason += _describe(best)
    if others:
        reason += f". Next ({others[0].score:.2f}): {_describe(others[0])}"
    if rivals:
        number = "one other person" if len(rivals) == 1 else f"{len(rivals)} other people"
        reason += f". Ambiguous where {number} with nearly the same score can be seen"
    return reason + "."


def _describe(candidate: Candidate) -> str:
    parts = candidate.parts
    return (
        f"score {candidate.score:.2f}; seen in {parts['persistence']:.0%} of the frames, "
        f"{parts['completeness']:.0%} of the keypoints found, "
        f"stillness {parts['stillness']:.2f}, infant proportions {parts['proportions']:.2f}, "
        f"size {parts['size']:.2f}"
    )

"""All coordinate changes: coded picture, display picture, network input, network grid.

Every frame of reference puts its origin at the centre of its top-left pixel, x right, y down. An
affine map is a (3, 3) float64 matrix acting on column vectors (x, y, 1); ``a_from_b`` takes
coordinates in b to coordinates in a. Scaling a picture by s maps the pixel centre c to
(c + 0.5) s - 0.5, because pixel *edges* scale, not centres.

- coded: pixels as the decoder gives them.
- display: after pixel aspect, rotation and mirroring; what a viewer sees. Keypoints live here.
- network: the picture that goes into a network.
- grid: cells of a network's belief maps.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]
Points = npt.NDArray[Any]
Image = npt.NDArray[np.uint8]

GREY = 128
"""RGB value of whatever lies outside the picture."""


class PlanesLike(Protocol):
    """Planes as `vid2kp.video.frame.Planes` has them."""

    @property
    def y(self) -> Image:
        """(H, W) luma."""

    @property
    def u(self) -> Image:
        """(ceil(H / 2), ceil(W / 2)) blue difference."""

    @property
    def v(self) -> Image:
        """(ceil(H / 2), ceil(W / 2)) red difference."""

    @property
    def full_range(self) -> bool:
        """Luma spans 0-255 instead of 16-235."""

    @property
    def bt709(self) -> bool:
        """ITU-R BT.709 coefficients instead of BT.601."""


class FrameLike(Protocol):
    """What `sample` needs of a `vid2kp.video.frame.Frame`."""

    @property
    def display_from_coded(self) -> Matrix:
        """(3, 3) map from coded to display pixel centres."""

    @property
    def planes(self) -> PlanesLike | None:
        """The decoded picture, if there is one."""


# ---------------------------------------------------------------------------------------------
# Affine maps


def translation(x: float, y: float) -> Matrix:
    """The (3, 3) map that adds (x, y)."""
    return np.array([[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 1.0]])


def scaling(x: float, y: float) -> Matrix:
    """The (3, 3) map that multiplies by (x, y) about the origin of coordinates."""
    return np.diag([x, y, 1.0])


def turn(degrees: float) -> Matrix:
    """The (3, 3) map that turns counter-clockwise as seen on the screen (y down) by degrees."""
    quarter = round(degrees / 90)
    if math.isclose(degrees, 90 * quarter, abs_tol=1e-9):  # exact: no 6e-17 in the matrix
        c, s = ((1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0))[quarter % 4]
    else:
        c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]])


def _about_edges(matrix: Matrix) -> Matrix:
    """The map on pixel centres of a map given on pixel edges (edge = centre + 0.5)."""
    return translation(-0.5, -0.5) @ matrix @ translation(0.5, 0.5)


def _inverse(matrix: Matrix) -> Matrix:
    return np.asarray(np.linalg.inv(matrix), np.float64)


def transform_points(matrix: Matrix, xy: Points) -> Points:
    """Points (..., 2) moved by a (3, 3) affine map; NaN stays NaN, the float dtype is kept."""
    xy = np.asarray(xy)
    moved = xy @ matrix[:2, :2].T + matrix[:2, 2]
    return moved.astype(xy.dtype) if np.issubdtype(xy.dtype, np.floating) else moved


# ---------------------------------------------------------------------------------------------
# Coded picture → display picture


def display_size(
    width: int, height: int, *, pixel_aspect: Fraction = Fraction(1), rotation: int = 0
) -> tuple[int, int]:
    """Width and height of the display picture of a coded picture of (width, height).

    Args:
        width: coded pixels.
        height: coded pixels.
        pixel_aspect: width of a pixel over its height; x is scaled, y never.
        rotation: counter-clockwise degrees, a multiple of 90.
    """
    stretched = max(1, round(width * pixel_aspect))
    return (height, stretched) if rotation % 180 else (stretched, height)


def display_from_coded(
    width: int,
    height: int,
    *,
    pixel_aspect: Fraction = Fraction(1),
    rotation: int = 0,
    mirrored: bool = False,
    shrunk: int = 1,
) -> Matrix:
    """The (3, 3) map from coded pixel centres to display pixel centres.

    Of a coded picture that is kept ``shrunk`` times smaller, the map is from the pixels kept.
    The coded picture is stretched along x to square pixels, then turned counter-clockwise by
    ``rotation`` degrees (as ``np.rot90(image, rotation // 90)``), then, where mirrored, flipped
    left to right (as ``image[:, ::-1]``).
    """
    stretched, _ = display_size(width, height, pixel_aspect=pixel_aspect)
    shown_width, shown_height = display_size(
        width, height, pixel_aspect=pixel_aspect, rotation=rotation
    )
    turned = (
        translation(shown_width / 2, shown_height / 2)
        @ scaling(-1.0 if mirrored else 1.0, 1.0)
        @ turn(rotation)
        @ translation(-stretched / 2, -height / 2)
    )
    return _about_edges(turned @ scaling(shrunk * stretched / width, shrunk))


# ---------------------------------------------------------------------------------------------
# Views: display picture → network input


@dataclass(frozen=True, eq=False)
class View:
    """One network input: which part of the display picture, how turned, at what size.

    Attributes:
        width: network input pixels.
        height: network input pixels.
        network_from_display: (3, 3) float64 map from display to network pixel centres.
    """

    width: int
    height: int
    network_from_display: Matrix

    @cached_property
    def display_from_network(self) -> Matrix:
        """(3, 3) float64 map from network to display pixel centres."""
        return _inverse(self.network_from_display)

    @property
    def box(self) -> tuple[float, float, float, float]:
        """(x0, y0, x1, y1) in display pixels around all that the input shows, letterbox too."""
        x1, y1 = self.width - 0.5, self.height - 0.5
        corners = np.array([(-0.5, -0.5), (x1, -0.5), (x1, y1), (-0.5, y1)])
        shown = transform_points(self.display_from_network, corners)
        low, high = shown.min(axis=0), shown.max(axis=0)
        return float(low[0]), float(low[1]), float(high[0]), float(high[1])

    @property
    def rotation(self) -> float:
        """Counter-clockwise degrees in [0, 360) by which the display picture was turned."""
        m = self.network_from_display
        return math.degrees(math.atan2(m[0, 1], m[0, 0])) % 360.0

    @property
    def scale(self) -> float:
        """Network pixels per display pixel."""
        return float(math.sqrt(abs(np.linalg.det(self.network_from_display[:2, :2]))))


def whole_frame(
    width: int, height: int, *, size: int = 256, multiple: int = 8, rotation: float = 0.0
) -> View:
    """The whole display picture as one network input.

    The picture is turned counter-clockwise by ``rotation`` degrees, scaled so that its longest
    side is ``size``, and centred; both sides of the input are rounded up to ``multiple`` and the
    rest is grey.

    Args:
        width: display pixels.
        height: display pixels.
        size: longest side of the picture in the network input, pixels.
        multiple: both sides of the input are multiples of this.
        rotation: counter-clockwise degrees.
    """
    turned = turn(rotation)
    turned_width, turned_height = np.abs(turned[:2, :2]) @ (width, height)
    scale = size / max(turned_width, turned_height)
    input_width, input_height = (
        max(1, math.ceil(round(side * scale, 6) / multiple)) * multiple
        for side in (turned_width, turned_height)
    )
    edges = (
        translation(input_width / 2, input_height / 2)
        @ scaling(scale, scale)
        @ turned
        @ translation(-width / 2, -height / 2)
    )
    return View(input_width, input_height, _about_edges(edges))


def crop(
    centre_xy: Sequence[float] | Points, side: float, *, size: int, rotation: float = 0.0
) -> View:
    """A square part of the display picture as a network input of size x size pixels.

    Args:
        centre_xy: (x, y) of the middle of the square, display pixels.
        side: length of the square, display pixels, > 0.
        size: network input pixels.
        rotation: counter-clockwise degrees by which the square is turned upright.
    """
    middle = (size - 1) / 2
    matrix = (
        translation(middle, middle)
        @ scaling(size / side, size / side)
        @ turn(rotation)
        @ translation(-float(centre_xy[0]), -float(centre_xy[1]))
    )
    return View(size, size, matrix)


def keypoints_to_display(view: View, xy: Points) -> Points:
    """Keypoints (..., 2) from network input pixels to display pixels; NaN stays NaN."""
    return transform_points(view.display_from_network, xy)


def keypoints_to_network(view: View, xy: Points) -> Points:
    """Keypoints (..., 2) from display pixels to network input pixels; NaN stays NaN."""
    return transform_points(view.network_from_display, xy)


def grid_to_input(xy: Points, stride: int) -> Points:
    """Positions (..., 2) in cells of a belief map to network input pixels.

    Cell i of a map with stride s covers the input pixels [i s, (i + 1) s), so its centre lies at
    (i + 0.5) s - 0.5.
    """
    return (xy + 0.5) * stride - 0.5


def input_to_grid(xy: Points, stride: int) -> Points:
    """Network input pixels (..., 2) to cells of a belief map: the inverse of `grid_to_input`."""
    return (xy + 0.5) / stride - 0.5


# ---------------------------------------------------------------------------------------------
# Pixels


def sample(frame: FrameLike, view: View) -> Image:
    """The network input that a view shows of a frame, straight from the decoder's planes.

    Anti-aliased when shrinking; a full-size RGB picture is never made. A frame without planes
    (it could not be decoded) gives plain grey.

    Returns:
        (view.height, view.width, 3) uint8 RGB; 128 outside the picture.
    """
    planes = frame.planes
    if planes is None:
        return np.full((view.height, view.width, 3), GREY, np.uint8)
    coded_from_network = _inverse(view.network_from_display @ frame.display_from_coded)
    chroma_from_network = _about_edges(scaling(0.5, 0.5)) @ coded_from_network
    luma_grey = GREY if planes.full_range else round(16 + GREY * 219 / 255)
    yuv = cv2.merge(
        [
            _warp(planes.y, coded_from_network, view, luma_grey),
            _warp(planes.u, chroma_from_network, view, 128),
            _warp(planes.v, chroma_from_network, view, 128),
        ]
    )
    rgb = cv2.transform(yuv, _rgb_from_yuv(planes.full_range, planes.bt709))
    return np.asarray(rgb, np.uint8)


def sample_image(image: Image, view: View) -> Image:
    """The network input that a view shows of a plain picture.

    Args:
        image: (H, W, 3) uint8 RGB, display orientation.
        view: what to show.

    Returns:
        (view.height, view.width, 3) uint8 RGB; 128 outside the picture.
    """
    return _warp(image, view.display_from_network, view, GREY)


def _warp(source: Image, source_from_network: Matrix, view: View, outside: int) -> Image:
    """Source (H, W[, C]) seen through an affine map, shrunk first so that nothing aliases.

    Averaging 2 x 2 pixels until at most a factor of 1.42 is left costs a twentieth of an exact
    area average and leaves one bilinear warp to do the rest.
    """
    region, offset = _visible_part(source, source_from_network, view)
    if region.size == 0:
        shape = (view.height, view.width, *source.shape[2:])
        return np.full(shape, outside, np.uint8)
    halvings_x, halvings_y = _halvings(source_from_network)
    region = _halve(region, halvings_x, halvings_y, outside)
    shrink = _about_edges(scaling(0.5**halvings_x, 0.5**halvings_y)) @ translation(*-offset)
    warped = cv2.warpAffine(
        region,
        (shrink @ source_from_network)[:2],
        (view.width, view.height),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(outside, outside, outside),
    )
    return np.asarray(warped, np.uint8)


def _halvings(source_from_network: Matrix) -> tuple[int, int]:
    """How often the source is halved along x and along y before it is warped."""
    steps = np.linalg.norm(source_from_network[:2, :2], axis=1)  # source px per network px
    x, y = (max(0, round(math.log2(max(float(step), 1e-9)))) for step in steps)
    return x, y


def _visible_part(source: Image, source_from_network: Matrix, view: View) -> tuple[Image, Points]:
    """The part of the source that the view shows, and the (x, y) of its first pixel."""
    height, width = source.shape[:2]
    corners = np.array([(x, y) for x in (0, view.width - 1) for y in (0, view.height - 1)])
    seen = transform_points(source_from_network, corners.astype(np.float64))
    # Whole cells of the shrunk picture, and the neighbours that interpolation needs: a view's
    # pixels must not depend on where it was cut.
    cell = 2.0 ** np.array(_halvings(source_from_network))
    low = np.clip((np.floor(seen.min(axis=0) / cell) - 1) * cell, 0, (width, height))
    high = np.clip((np.ceil(seen.max(axis=0) / cell) + 2) * cell, low, (width, height))
    (x0, y0), (x1, y1) = low.astype(int), high.astype(int)
    return source[y0:y1, x0:x1], low


def _halve(region: Image, times_x: int, times_y: int, outside: int) -> Image:
    """The picture averaged over cells of 2**times_x by 2**times_y pixels."""
    cell_x, cell_y = 2**times_x, 2**times_y
    height, width = region.shape[:2]
    pad_x, pad_y = -width % cell_x, -height % cell_y
    if pad_x or pad_y:
        grey = (outside, outside, outside)
        padded = cv2.copyMakeBorder(region, 0, pad_y, 0, pad_x, cv2.BORDER_CONSTANT, value=grey)
        region = np.asarray(padded, np.uint8)
    while times_x > 0 or times_y > 0:
        height, width = region.shape[:2]
        size = (width // 2 if times_x > 0 else width, height // 2 if times_y > 0 else height)
        region = np.asarray(cv2.resize(region, size, interpolation=cv2.INTER_AREA), np.uint8)
        times_x, times_y = times_x - 1, times_y - 1
    return region


def _rgb_from_yuv(full_range: bool, bt709: bool) -> Matrix:
    """(3, 4) matrix from 8-bit (Y, U, V, 1) to 8-bit R, G, B (ITU-R BT.601 and BT.709)."""
    red, blue = (0.2126, 0.0722) if bt709 else (0.299, 0.114)
    green = 1 - red - blue
    luma, chroma, black = (1.0, 1.0, 0.0) if full_range else (255 / 219, 255 / 224, 16.0)
    u_blue, v_red = 2 * (1 - blue) * chroma, 2 * (1 - red) * chroma
    u_green, v_green = -u_blue * blue / green, -v_red * red / green
    linear = np.array([[luma, 0, v_red], [luma, u_green, v_green], [luma, u_blue, 0]])
    return np.hstack([linear, -linear @ np.array([[black], [128.0], [128.0]])])

"""Fifth proof: the whole conversion works where no network exists, and asks for none."""

from __future__ import annotations

import pytest
from hospital import Run
from watched import can_unshare, has_strace

pytestmark = pytest.mark.timeout(900)  # a whole run, on however busy a machine


@pytest.mark.skipif(not can_unshare(), reason="unshare -rn is not allowed here")
def test_it_works_where_there_is_no_network(run: Run) -> None:
    # `run` was made under unshare -rn.
    assert len([folder for folder in run.out.iterdir() if folder.is_dir()]) == 5


@pytest.mark.skipif(not has_strace(), reason="strace is missing or may not trace")
def test_no_process_asks_the_system_for_an_address(run: Run) -> None:
    calls = run.watched.calls
    assert calls is not None
    assert any("execve(" in line or "openat(" in line for line in calls), "the watch works"
    assert not [line for line in calls if "AF_INET" in line]
    sockets = [line for line in calls if " socket(" in line or " connect(" in line]
    # The C library may ask a daemon of this machine who the user is.
    assert not [line for line in sockets if "AF_UNIX" not in line]


def test_python_uses_no_socket_and_starts_no_program_but_itself(run: Run) -> None:
    assert {process for process, *_ in run.watched.events} == {"parent", "worker"}
    events = {event for _, event, _ in run.watched.events}
    assert not {event for event in events if event.startswith("socket.")}
    assert not events & {"os.system", "os.exec", "subprocess.Popen", "os.posix_spawn"}

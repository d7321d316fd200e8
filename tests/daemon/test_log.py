"""What the daemon leaves in its log and crash reports, in a process of its own (logging is process-wide)."""

import stat
import subprocess
import sys
from pathlib import Path

from hivemind_cli.core.paths import Paths
from hivemind_cli.daemon import crash, log
from hivemind_cli.daemon.crash import report_crash

PROLOGUE = (
    "import logging, os\n"
    "from hivemind_cli.core.paths import Paths\n"
    "from hivemind_cli.daemon.log import open_log\n"
    "paths = Paths.from_env(os.environ)\n"
    "open_log(paths)\n"
)


def logged(code: str) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run([sys.executable, "-c", PROLOGUE + code], capture_output=True, check=False)


def test_no_secret_reaches_the_log(paths: Paths) -> None:
    logged("logging.warning('the key %s was refused', 'ghp_abcdefghijklmnopqrstuvwxyz0123456789')")
    text = paths.log.read_text()
    assert "was refused" in text
    assert "ghp_" not in text
    assert stat.S_IMODE(paths.log.stat().st_mode) == 0o600


def test_the_log_never_grows_beyond_its_files(paths: Paths) -> None:
    logged("for _ in range(5000): logging.info('x' * 1000)")
    files = sorted(paths.log.parent.glob("daemon.log*"))
    assert len(files) == log.FILES
    assert all(path.stat().st_size <= log.BYTES_MAX for path in files)
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_a_log_that_cannot_be_written_is_no_reason_to_end(paths: Paths) -> None:
    done = logged("import shutil; shutil.rmtree(paths.root)\nfor _ in range(2000): logging.info('x' * 1000)")
    assert (done.returncode, done.stderr) == (0, b"")
    assert not paths.root.exists()


def test_a_crash_in_a_library_leaves_its_frames(paths: Paths) -> None:
    assert logged("import faulthandler; faulthandler._sigsegv()").returncode < 0
    assert "Segmentation fault" in paths.log.read_text()


def test_a_report_tells_the_chain_of_causes_without_secrets(paths: Paths) -> None:
    try:
        try:
            raise KeyError("password=hunter2hunter2hunter2")
        except KeyError as cause:
            raise RuntimeError("it broke") from cause
    except RuntimeError as exc:
        report = report_crash(paths, "some stage", exc)
    assert report is not None
    text = report.read_text()
    assert "RuntimeError: it broke" in text
    assert "KeyError" in text
    assert "test_log.py" in text
    assert "hunter2" not in text.split("which came of")[1].splitlines()[-1]
    assert stat.S_IMODE(report.stat().st_mode) == 0o600


def test_old_reports_make_room(paths: Paths) -> None:
    for _ in range(crash.REPORTS_MAX + 5):
        report_crash(paths, "loop", ValueError())
    assert len(list(paths.crash.iterdir())) == crash.REPORTS_MAX


def test_a_report_never_brings_a_removed_home_back(paths: Paths, tmp_path: Path) -> None:
    gone = Paths(root=tmp_path / "gone", home=paths.home)
    assert report_crash(gone, "late", ValueError()) is None
    assert not gone.root.exists()

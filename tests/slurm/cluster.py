# SPDX-License-Identifier: BSD-2-Clause
"""A SLURM for tests: munged, slurmctld and a slurmd per node in a directory and on ports of their own, ended by
their recorded ids. Either one node, which is this machine, or several, each with a host name, a network and
processes of its own (Linux namespaces); they share the file system.
"""
from __future__ import annotations

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

PROGRAMS = ["munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scontrol"]
CORES = 4  # as a node is told; tasks share what cores there are
NETWORK = "10.213.77"  # of several nodes; nobody else sees it
ENDED = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY")
LENIENT = {"timeout": 300, "killed": 10, "message": 10}  # seconds until a node is given up, and others
STRICT = {"timeout": 6, "killed": 2, "message": 3}
# Everything in this: a bridge, its links and all processes are gone with the test, however it ends.
ISOLATE = ["unshare", "--net", "--uts", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]

CONFIGURATION = """\
ClusterName=fare
SlurmctldHost={head}({address})
SlurmctldPort={ctld}
SlurmdPort={d}
AuthType=auth/munge
AuthInfo=socket={where}/munge.socket,cred_expire=5
SlurmUser=root
SlurmdUser=root
StateSaveLocation={where}/state
SlurmdSpoolDir={where}/spool-%n
TmpFS={where}/tmp-%n
SlurmctldPidFile={where}/slurmctld.pid
SlurmdPidFile={where}/slurmd-%n.pid
SlurmctldLogFile={where}/slurmctld.log
SlurmdLogFile={where}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
SlurmdTimeout={timeout}
SchedulerParameters=sched_interval=1,batch_sched_delay=0
MpiDefault=none
JobRequeue=1
ReturnToService=2
KillWait={killed}
MessageTimeout={message}
TCPTimeout=1
MinJobAge=600
PartitionName=all Nodes=ALL Default=YES MaxTime=60 State=UP LLN=YES
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


def isolate() -> str:
    """Starts this script once more, as the first process of namespaces of its own, and ends with its exit code;
    returns there. Why that cannot be done, or nothing.
    """
    if os.environ.get("FARE_ISOLATED"):
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        return ""
    lacking = [name for name in ("unshare", "ip", "hostname") if not shutil.which(name)]
    if lacking:
        return f"{', '.join(lacking)} not installed (Debian: util-linux iproute2 hostname)"
    link = "ip link add bridge0 type bridge && ip link add one type veth peer name two"
    tried = subprocess.run([*ISOLATE, "sh", "-c", link], capture_output=True, text=True, check=False)
    if tried.returncode:
        return f"namespaces are not allowed here: {tried.stderr.strip()}"
    os.environ["FARE_ISOLATED"] = "1"
    os.execvp(ISOLATE[0], [*ISOLATE, sys.executable, *sys.argv])


class Cluster:
    def __init__(self, where: pathlib.Path | str, nodes: int = 1) -> None:
        self.where = pathlib.Path(where)
        self.daemons: list[subprocess.Popen[bytes]] = []
        self.nodes: dict[str, subprocess.Popen[bytes]] = {}
        ctld, d = free_ports(2)
        here = socket.gethostname().split(".")[0]
        self.names = [here] if nodes == 1 else [f"node{i + 1}" for i in range(nodes)]
        for name in ("state", *(f"{kind}-{node}" for kind in ("spool", "tmp") for node in self.names)):
            (self.where / name).mkdir()
        (self.where / "munge.key").write_bytes(os.urandom(1024))
        (self.where / "munge.key").chmod(0o400)
        local = nodes == 1
        lines = CONFIGURATION.format(
            head=here,
            address="127.0.0.1" if local else f"{NETWORK}.1",
            ctld=ctld,
            d=d,
            where=self.where,
            **(LENIENT if local else STRICT),
        )
        for i, name in enumerate(self.names):
            address = "127.0.0.1" if local else f"{NETWORK}.{i + 11}"
            lines += f"NodeName={name} NodeAddr={address} CPUs={CORES} State=UNKNOWN\n"
        configuration = self.where / "slurm.conf"
        configuration.write_text(lines)
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
        if len(self.names) > 1:
            self.shell(
                f"ip link add bridge0 type bridge && ip addr add {NETWORK}.1/24 dev bridge0 && ip link set"
                " bridge0 up"
            )
        self.daemon("slurmctld", "-D", "-c")
        self.nodes = {name: self.start_node(i, name) for i, name in enumerate(self.names)}
        self.wait("slurmctld", lambda: self.idle() == len(self.names))

    def idle(self) -> int:
        """How many nodes wait for work."""
        return int(self.run("sinfo", "-h", "-t", "idle", "-o", "%D").stdout.strip() or 0)

    def start_node(self, i: int, name: str) -> subprocess.Popen[bytes]:
        """Its first process: slurmd itself, or what holds the namespaces of a node."""
        if len(self.names) == 1:
            return self.daemon("slurmd", "-D", "-c")
        script = (
            f"hostname {name}; mount -t tmpfs none /dev/shm; read -r _;"
            f"ip link set lo up; ip addr add {NETWORK}.{i + 11}/24 dev eth0; ip link set eth0 up;"
            f"slurmd -D -c -N {name} & wait"
        )
        node = self.daemon(*ISOLATE, "bash", "-c", script, log=name, stdin=subprocess.PIPE)
        self.shell(
            f"ip link add {name} type veth peer name eth0 netns {self.inside(node)} && "
            f"ip link set {name} master bridge0 up"
        )
        assert node.stdin
        node.stdin.write(b"\n")
        node.stdin.close()
        return node

    def inside(self, node: subprocess.Popen[bytes]) -> str:
        """The id of a node's first process, which `unshare` has started; once it has its namespaces."""
        children = pathlib.Path(f"/proc/{node.pid}/task/{node.pid}/children")
        self.wait("unshare", lambda: children.read_text().strip())
        return children.read_text().split()[0]

    def cut(self, name: str) -> None:
        self.shell(f"ip link set {name} down")

    def mend(self, name: str) -> None:
        self.shell(f"ip link set {name} up")

    def kill(self, name: str) -> None:
        """As when its power fails: no process of the node gets a word in."""
        self.nodes[name].kill()
        self.nodes[name].wait()

    def shell(self, command: str) -> None:
        done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{command}: {done.stderr}")

    def daemon(self, *command: str, log: str | None = None, **more: Any) -> subprocess.Popen[bytes]:
        with open(self.where / f"{log or command[0]}.out", "wb") as out:
            process: subprocess.Popen[bytes] = subprocess.Popen(
                command, env=self.environment, stdout=out, stderr=out, start_new_session=True, **more
            )
        self.daemons.append(process)
        return process

    def wait(self, what: str, ready: Callable[[], object], seconds: int = 60) -> None:
        for _ in range(10 * seconds):
            if ready():
                return
            time.sleep(0.1)
        logs = "".join(
            f"{path.name}: {path.read_text(errors='replace')[-1500:]}\n"
            for path in sorted(self.where.glob("*.out"))
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

    def show(self, job: str, key: str) -> list[str]:
        """Of a job, or of every task of an array, what SLURM knows under this key."""
        shown = self.run("scontrol", "-o", "show", "job", job).stdout
        return [line.split(f" {key}=")[1].split()[0] for line in shown.splitlines() if f" {key}=" in line]

    def states(self, job: str) -> list[str]:
        return self.show(job, "JobState")

    def finish(self, job: str, seconds: float = 300) -> list[str]:
        """Waits until it has ended; its states."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            states = self.states(job)
            if states and all(state in ENDED for state in states):
                return states
            time.sleep(0.5)
        return [*self.states(job), "NOT ENDED"]

    def stop(self) -> None:
        self.run("scancel", "--quiet", "--user=root")
        if len(self.names) > 1:  # `unshare` does not listen to SIGTERM
            for node in self.nodes.values():
                node.kill()
        for daemon in reversed(self.daemons):
            if daemon.poll() is None:
                daemon.send_signal(signal.SIGTERM)
        for daemon in reversed(self.daemons):
            try:
                daemon.wait(20)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()

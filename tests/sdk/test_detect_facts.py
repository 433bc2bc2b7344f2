"""What a process is called and where it runs, found without being told."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from qmon_sdk.detect import detect
from qmon_sdk.detect.container import container_attributes
from qmon_sdk.detect.interpreter import launch_of
from qmon_sdk.detect.platforms import PLATFORMS, platform_of

DOCKER, POD = "d1" * 32, "0f5bd4a9-7d2c-4a4e-9a51-0d0a5f0d9e11"
COMMANDS = {
    "python shop.py": "shop",
    "python -X dev -W ignore examples/plain.py --x": "plain",
    "python -m shop.worker": "shop",
    "python -m shop.reports": "shop.reports",
    "gunicorn -b localhost:8000 -w 4 shop:app": "shop",
    "/venv/bin/gunicorn shop.wsgi": "shop",
    "uvicorn --host 0.0.0.0 --port 80 src.shop.main:create_app --factory": "shop",
    "python -m uvicorn company.shop.main:app": "company.shop",
    "celery -A shop.tasks worker --pool solo": "shop",
    "celery --app=shop beat": "shop",
    "flask --app src/shop.py run": "shop",
    "uwsgi --http :80 --module=shop.wsgi:application": "shop",
    "python manage.py runserver": "bazaar",
    "python app.py": "app",
    "python -c 1": "python",
    "rq worker": "rq",
    "python": "python",
    "": "python",
}


class TestService:
    @pytest.mark.parametrize("command", COMMANDS)
    def test_is_what_the_command_runs(self, *, command, tmp_path):
        (tmp_path / "manage.py").write_text(
            "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'bazaar.settings')\n"
        )

        assert COMMANDS[command] == detect(command.split(), {}, cwd=str(tmp_path)).service

    @pytest.mark.parametrize("command", ["python app.py", "uvicorn main:app", "python -c 1"])
    def test_is_the_projects_name_where_the_commands_says_nothing(self, *, command, tmp_path):
        (tmp_path / "pyproject.toml").write_text(
            '[build-system]\nname = "no"\n[project]\nname = "till" # ours\n[tool.x]\nname = "no"\n'
        )

        assert "till" == detect(command.split(), {}, cwd=str(tmp_path)).service

    def test_is_what_the_environment_says_of_django(self, tmp_path):
        environ = {"DJANGO_SETTINGS_MODULE": "shop.settings.production"}

        found = detect(["django-admin", "runserver"], environ, cwd=str(tmp_path))
        assert "shop" == found.service

    def test_of_hostile_words_is_some_text(self, tmp_path):
        for word in ("-", "--", "-A", "\udcff", "x" * 100_000, "a:b:c", "...", "\n"):
            for tool in ("python", "celery", "gunicorn", "flask", "uwsgi"):
                assert detect([tool, word], {}, cwd=str(tmp_path)).service


class TestLaunch:
    @pytest.mark.parametrize(
        ("words", "expected"),
        [
            ("-I app.py -E", ("I", "script", "app.py", ("-E",))),
            ("-IEm pkg -x", ("IE", "module", "pkg", ("-x",))),
            ("-mpkg", ("", "module", "pkg", ())),
            ("-W default -Xdev -S -c 1", ("WXS", "code", "1", ())),
            ("-", ("", "script", "-", ())),
            ("--check-hash-based-pycs never -s a.py", ("s", "script", "a.py", ())),
            ("-m", ("", "module", "", ())),
        ],
    )
    def test_tells_the_interpreters_options_from_the_programs(self, *, words, expected):
        found = launch_of(words.split())

        assert expected == (found.flags, found.kind, found.target, found.arguments)


class TestPlatform:
    @pytest.mark.parametrize("name", PLATFORMS)
    def test_is_known_by_its_marker_and_says_only_what_is_set(self, name):
        found = platform_of({PLATFORMS[name]["marker"]: "x"})

        assert name == found.name
        assert all(found.resource.values())

    def test_names_service_release_and_place(self, tmp_path):
        environ = {"K_SERVICE": "till", "K_REVISION": "till-00042-abc", "K_CONFIGURATION": "till"}
        found = detect(["gunicorn", "app:app"], environ, cwd=str(tmp_path))

        assert ("till", "till-00042-abc") == (found.service, found.release)
        assert "gcp" == found.resource["cloud.provider"]
        assert "Google Cloud Run" == found.origins["release"]

    def test_of_heroku_gives_the_commit_whoever_has_set_it(self):
        for name in ("HEROKU_SLUG_COMMIT", "HEROKU_BUILD_COMMIT"):
            found = detect(["python"], {"DYNO": "web.1", name: "abc123"})
            assert "abc123" == found.release == found.resource["vcs.ref.head.revision"]

    def test_says_which_environment_it_is(self):
        railway = {"RAILWAY_PROJECT_ID": "1", "RAILWAY_ENVIRONMENT_NAME": "staging"}

        assert "staging" == detect(["python"], railway).environment
        assert "ci" == detect(["python"], {"GITLAB_CI": "true"}).environment
        assert "qa" == detect(["python"], {"APP_ENV": "qa"}).environment
        assert "production" == detect(["python"], {}).environment


CGROUPS = {
    "docker, version 1": f"12:memory:/docker/{DOCKER}",
    "systemd": f"0::/system.slice/docker-{DOCKER}.scope",
    "podman": f"0::/machine.slice/libpod-{DOCKER}.scope/container",
    "containerd": f"0::/kubepods.slice/x.slice/cri-containerd-{DOCKER}.scope",
    "kubernetes, version 1": f"4:cpu:/kubepods/burstable/pod{POD}/{DOCKER}",
}


class TestContainer:
    @pytest.mark.parametrize("line", CGROUPS.values(), ids=CGROUPS.keys())
    def test_is_the_one_of_our_control_group(self, *, line, tmp_path):
        (tmp_path / "cgroup").write_text(f"{line}\n")

        assert {"container.id": DOCKER} == container_attributes({}, proc=str(tmp_path))

    def test_of_amazons_tasks_has_a_name_of_its_own(self, tmp_path):
        name = "0aab" * 8 + "-1234567890"
        (tmp_path / "cgroup").write_text(f"9:perf:/ecs/{'0aab' * 8}/{name}\n")

        assert {"container.id": name} == container_attributes({}, proc=str(tmp_path))

    def test_is_found_by_its_mounts_where_groups_are_hidden(self, tmp_path):
        (tmp_path / "cgroup").write_text("0::/\n")
        (tmp_path / "mountinfo").write_text(
            f"1 0 8:1 /var/lib/docker/overlay2/{'e' * 64}/merged / rw\n"
            f"2 1 8:1 /var/lib/containerd/sandboxes/{'f' * 64}/hostname /etc/hostname rw\n"
            f"3 1 8:1 /var/lib/docker/containers/{DOCKER}/resolv.conf /etc/resolv.conf rw\n"
        )

        assert {"container.id": DOCKER} == container_attributes({}, proc=str(tmp_path))

    def test_on_a_machine_of_ones_own_is_none(self, tmp_path):
        (tmp_path / "cgroup").write_text(f"0::/user.slice/session-{'1' * 60}.scope\n\udcff"[:-1])
        (tmp_path / "mountinfo").write_text("torn line\n1 2 3")

        assert {} == container_attributes({}, proc=str(tmp_path))
        assert {} == container_attributes({}, proc=str(tmp_path / "missing"))


class TestPod:
    @pytest.fixture
    def pod(self, tmp_path):
        """A pod as the kernel and the service account show it."""
        group = f"kubepods-pod{POD.replace('-', '_')}.slice"
        (tmp_path / "cgroup").write_text(f"0::/{group}/cri-{DOCKER}.scope\n")
        (tmp_path / "namespace").write_text("tills")
        return {"proc": str(tmp_path), "namespace": str(tmp_path / "namespace")}

    def test_is_what_the_kernel_and_the_account_say(self, pod):
        environ = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "HOSTNAME": "till-5d9c-x2x9z"}

        assert {
            "container.id": DOCKER,
            "k8s.pod.uid": POD,
            "k8s.pod.name": "till-5d9c-x2x9z",
            "k8s.namespace.name": "tills",
        } == container_attributes(environ, **pod)

    def test_believes_the_downward_api_before_anything_else(self, pod):
        environ = {
            "KUBERNETES_SERVICE_HOST": "1",
            "HOSTNAME": "x",
            "POD_NAME": "a",
            "NODE_NAME": "n",
        }
        found = container_attributes({**environ, "POD_NAMESPACE": "b"}, **pod)

        names = ("k8s.pod.name", "k8s.namespace.name", "k8s.node.name")
        assert ["a", "b", "n"] == [found[name] for name in names]


class TestCost:
    def test_is_below_a_millisecond(self):
        took = []
        for _ in range(20):
            began = time.process_time_ns()
            detect()
            took.append(time.process_time_ns() - began)

        assert min(took) < 1_000_000

    def test_runs_no_process_and_imports_nothing_heavy(self):
        program = (
            "import sys, qmon_sdk.settings\n"
            "sys.addaudithook(lambda event, _: event.startswith(('subprocess', 'os.exec', "
            "'os.fork', 'os.posix_spawn', 'socket')) and print(event))\n"
            "before = set(sys.modules); qmon_sdk.settings.settle({})\n"
            "print(*{'re', 'json', 'tomllib', 'subprocess', 'socket'} & set(sys.modules) - before)"
        )
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True
        )

        assert "" == done.stdout.strip() + done.stderr

    def test_survives_a_directory_that_is_gone(self, tmp_path):
        gone = tmp_path / "gone"
        gone.mkdir()
        program = f"import os; os.chdir({str(gone)!r}); os.rmdir({str(gone)!r})"
        program += "; from qmon_sdk.settings import settle; print(settle({})[1])"
        done = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )

        assert ("[]\n", "") == (done.stdout, done.stderr)

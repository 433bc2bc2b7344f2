"""Where Python looks when it starts, because `qmon-run` put this directory first on `PYTHONPATH`.

It steps aside at once: the `sitecustomize` that would have been found without it runs first, and
this directory is gone from `sys.path` before the program's own first line. In an environment that
is not the one of `qmon-run`, nothing of it but this file is seen, and nothing happens.
"""


def _step_aside() -> None:
    import os
    import sys

    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [place for place in sys.path if os.path.abspath(place) != here]
    ours = sys.modules.pop("sitecustomize")
    try:
        import sitecustomize  # type: ignore[import-not-found] # noqa: F401 - theirs, as ours is out of the way
    except ImportError as error:
        if error.name != "sitecustomize":
            raise
    finally:
        sys.modules.setdefault("sitecustomize", ours)
        _begin()


def _begin() -> None:
    import os
    import sys

    told = os.environ.get
    is_first = told("QMON_RUN_PID") == str(os.getpid())
    if told("QMON_RUN_ALONE") == "1" and not is_first:
        return
    prefix = told("QMON_RUN_PREFIX", "")
    if os.path.realpath(sys.prefix) == prefix:
        try:
            from qmon_sdk.run.inside import begin

            begin()
        except Exception:  # noqa: BLE001 - the guard: the program starts in any case
            return
    elif is_first and prefix:
        sys.stderr.write(
            f"qmon-run: this Python is of {sys.prefix}, and qmon is installed in {prefix}: "
            "nothing is started.\nInstall qmon beside the program, "
            f"or start the program by {prefix}/bin/python.\n"
        )
        sys.stderr.flush()
        os._exit(2)  # not SystemExit: this is before the first line


_step_aside()

"""Other people's functions, wrapped for as long as they are watched: once, and removable."""

from __future__ import annotations

import sys
from importlib import import_module

from .client import failed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Wrapper = Callable[[Callable[..., Any], Any, tuple[Any, ...], dict[str, Any]], Any]
    """Called as `wrapper(wrapped, instance, args, kwargs)`; what it returns, the caller gets."""


class Patch:
    """One attribute of a module or class, to be wrapped.

    Putting it on twice wraps once. Taking it off restores what was there; when somebody else
    has wrapped it since, ours stays inside of theirs and lets every call pass.
    """

    def __init__(self, owner: Any, path: str, wrapper: Wrapper) -> None:
        self.owner = owner
        self.path = path
        self.is_on = False
        self._wrapper = wrapper
        self._proxy: Any = None

    def put_on(self) -> Patch:
        """Wrap the attribute; raises `AttributeError` when there is none of that name."""
        import wrapt  # paid by those who patch

        parent, name, found = wrapt.resolve_path(self.owner, self.path)
        if self._proxy is None or found is not self._proxy:
            self._original, self._was_own = found, name in vars(parent)
            self._proxy = wrapt.FunctionWrapper(found, self._wrapper, lambda: self.is_on)
            wrapt.apply_patch(parent, name, self._proxy)
        self.is_on = True
        return self

    def take_off(self) -> None:
        """Unwrap it, or step aside."""
        import wrapt

        self.is_on = False
        if self._proxy is None:
            return
        parent, name, found = wrapt.resolve_path(self.owner, self.path)
        if found is not self._proxy:
            return
        if self._was_own:
            wrapt.apply_patch(parent, name, self._original)
        else:
            delattr(parent, name)
        self._proxy = None

    def remove(self) -> None:
        """Take it off: what `shutdown` asks of everything that was installed."""
        self.take_off()


_patches: dict[tuple[int, str, Any], Patch] = {}


def patch(target: str, wrapper: Wrapper) -> Patch:
    """Wrap `"module:Class.method"` with `wrapper`, importing the module; the same twice is one."""
    module, _, path = target.partition(":")
    return patch_attribute(import_module(module), path, wrapper)


def patch_attribute(owner: Any, path: str, wrapper: Wrapper) -> Patch:
    """Wrap an attribute, given by its dotted path from a module, class or object."""
    key = id(owner), path, wrapper
    found = _patches.get(key)
    if found is None or found.owner is not owner:
        found = _patches[key] = Patch(owner, path, wrapper)
    return found.put_on()


def unpatch(patched: Patch) -> None:
    """Take a patch off and forget it."""
    patched.take_off()
    for key, known in list(_patches.items()):
        if known is patched:
            del _patches[key]


def when_imported(module: str, hook: Callable[[Any], Any]) -> None:
    """Call `hook(module)` now or when it is imported; that it failed is counted, and all."""

    def guarded_hook(imported: Any) -> None:
        try:
            hook(imported)
        except Exception as error:  # noqa: BLE001 - somebody's import must not fail because of us
            failed(f"patching {module}", error)

    if module in sys.modules:
        guarded_hook(sys.modules[module])
        return
    import wrapt

    wrapt.register_post_import_hook(guarded_hook, module)

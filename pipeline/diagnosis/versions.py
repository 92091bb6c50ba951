"""Versions of Python and of the libraries, and those among them that are known to be bad."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version

from packaging.requirements import Requirement
from packaging.version import Version

from foveate.pipeline.diagnosis.findings import Section

US = "foveate"
BAD = {  # distribution -> version -> why; what is merely too old or too new stands in pyproject.toml
    "lightning": {
        "2.6.2": "this release held malware: reinstall, and change the keys this machine knows",
        "2.6.3": "this release held malware: reinstall, and change the keys this machine knows",
    },
}


def describe_versions() -> Section:
    """Python, the system, and every library that Foveate needs; those of extras that are not installed are named."""
    section = Section("versions")
    section.add("foveate", version(US))
    section.add("python", f"{platform.python_version()} ({platform.python_implementation()}, {sys.platform})")
    section.add("system", _system())
    missing: dict[str, list[str]] = {}
    for requirement, extra in _requirements():
        installed = installed_version(requirement.name)
        if installed is None and extra:
            missing.setdefault(extra, []).append(requirement.name)
        elif installed is None:
            section.problem(f"{requirement.name} is not installed: pip install '{requirement}'")
        else:
            section.add(requirement.name, installed)
            if reason := reason_against(requirement, installed):
                section.problem(reason)
    if missing:
        section.add("extras not installed", ", ".join(f"{extra} ({', '.join(of)})" for extra, of in missing.items()))
    return section


def reason_against(requirement: Requirement, installed: str) -> str:
    """Why an installed version is bad or not supported; empty if it is fine.

    Args:
        requirement: What Foveate asks for.
        installed: The version.

    Example:
        >>> reason_against(Requirement("numpy>=2"), "1.26.4")
        "numpy 1.26.4 is installed, and >=2 is needed: pip install 'numpy>=2'"
    """
    if reason := BAD.get(requirement.name, {}).get(installed):
        return f"{requirement.name} {installed}: {reason}"
    if requirement.specifier.contains(Version(installed), prereleases=True):
        return ""
    bare = f"{requirement.name}{requirement.specifier}"
    return f"{requirement.name} {installed} is installed, and {requirement.specifier} is needed: pip install '{bare}'"


def _requirements() -> Iterator[tuple[Requirement, str]]:
    """What Foveate asks for, each once, with the extra that it belongs to, if any."""
    seen: set[str] = set()
    for line in requires(US) or []:
        requirement = Requirement(line)
        extra = str(requirement.marker).partition("extra == ")[2].strip('"') if requirement.marker else ""
        if requirement.name not in (US, *seen):
            seen.add(requirement.name)
            yield requirement, extra


def installed_version(name: str) -> str | None:
    """The version of a distribution; None if it is not installed.

    Args:
        name: Its name, as in pip.
    """
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _system() -> str:
    libc = " ".join(platform.libc_ver()).strip()
    return ", ".join(filter(None, [f"{platform.system()} {platform.release()} {platform.machine()}", libc]))

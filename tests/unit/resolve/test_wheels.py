"""Resolving with the real uv against an in-process index: what comes out, and what is said when nothing does."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from shipwheel.credentials import Credentials
from shipwheel.errors import NetworkError, ResolveError
from shipwheel.http import Client
from shipwheel.lock import Built, PlatformLock, Wheel
from shipwheel.oci.blob import Platform
from shipwheel.project.requirements import Requirements
from shipwheel.resolve.indexes import Indexes, find_indexes
from shipwheel.resolve.request import Upgrade, WheelRequest
from shipwheel.resolve.target import Target
from shipwheel.resolve.urls import wheel_urls
from shipwheel.resolve.uv import Uv
from shipwheel.resolve.wheels import resolve_wheels
from support.index import FileServer, serve
from support.wheels import make_project, make_wheel, sha256_of

AMD64, ARM64 = Platform("linux", "amd64"), Platform("linux", "arm64")
ON_ARM = Target(python="3.11", platform=ARM64, glibc=36)
Ask = Callable[..., WheelRequest]


def names(wheels: tuple[Wheel, ...]) -> list[str]:
    return [f"{each.name} {each.version}" for each in wheels]


def test_wheels_are_locked_by_name_hash_and_size(ask: Ask, client: Client, shelf: Path) -> None:
    wheels, built = resolve_wheels(ask("alpha<2"), client)
    path = shelf / "alpha-1.1-py3-none-any.whl"
    assert built == ()
    assert names(wheels) == ["alpha 1.1", "beta 1.5"]
    assert wheels[0] == Wheel(
        name="alpha", version="1.1", filename=path.name, sha256=sha256_of(path), size=path.stat().st_size, source="index"
    )


def test_nothing_is_needed_without_requirements(ask: Ask, client: Client) -> None:
    assert resolve_wheels(ask(requirements=Requirements()), client) == ((), ())


@pytest.mark.parametrize(
    ("target", "tag"),
    [
        (Target(python="3.11", platform=AMD64, glibc=36), "cp311-cp311-manylinux_2_28_x86_64"),
        (Target(python="3.11", platform=AMD64, glibc=41), "cp311-cp311-manylinux_2_39_x86_64"),
        (Target(python="3.11", platform=AMD64, glibc=17), "cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64"),
        (Target(python="3.11", platform=ARM64, glibc=36), "cp311-cp311-manylinux_2_17_aarch64"),
        (Target(python="3.12", platform=AMD64, glibc=36), "cp312-cp312-manylinux_2_28_x86_64"),
        (Target(python="3.13", platform=AMD64, glibc=41), "cp39-abi3-manylinux_2_28_x86_64"),
        (Target(python="3.13", platform=ARM64, glibc=41), "py3-none-any"),
    ],
    ids=["bookworm", "trixie", "old glibc", "arm64", "other python", "abi3", "pure"],
)
def test_the_best_wheel_for_the_target_is_taken(ask: Ask, client: Client, target: Target, tag: str) -> None:
    wheels, _ = resolve_wheels(ask("native", target=target), client)
    assert [each.filename for each in wheels] == [f"native-1.0-{tag}.whl"]


def test_markers_extras_and_constraints_count(ask: Ask, client: Client, root: Path) -> None:
    (root / "constraints.txt").write_text("beta<1.5\n")
    lines = ["alpha[more]", "windows-only-dep; sys_platform == 'win32'", "-c constraints.txt"]
    request = ask(*lines)
    files = (root / "requirements.txt", root / "constraints.txt")
    wheels, _ = resolve_wheels(replace(request, requirements=replace(request.requirements, files=files)), client)
    assert names(wheels) == ["alpha 2.0", "beta 1.0", "gamma 3.0"]


def test_versions_stay_until_they_are_upgraded(ask: Ask, client: Client) -> None:
    old = tuple(
        Wheel(name=name, version="1.0", filename=f"{name}-1.0-py3-none-any.whl", sha256="0" * 64, size=1)
        for name in ("alpha", "beta")
    )
    request = ask("alpha", previous=PlatformLock(platform=AMD64, wheels=old))
    assert names(resolve_wheels(request, client)[0]) == ["alpha 1.0", "beta 1.0"]
    one = replace(request, upgrade=Upgrade(names=frozenset({"beta"})))
    assert names(resolve_wheels(one, client)[0]) == ["alpha 1.0", "beta 1.5"]
    everything = replace(request, upgrade=Upgrade(all=True))
    assert names(resolve_wheels(everything, client)[0]) == ["alpha 2.0", "beta 1.5"]
    narrowed = ask("alpha>1", previous=request.previous)
    assert names(resolve_wheels(narrowed, client)[0]) == ["alpha 2.0", "beta 1.0"]


def test_the_wheel_with_an_allowed_hash_is_taken(ask: Ask, client: Client, shelf: Path) -> None:
    other = shelf / "native-1.0-cp39-abi3-manylinux_2_28_x86_64.whl"
    wheels, _ = resolve_wheels(ask(f"native==1.0 --hash=sha256:{sha256_of(other)}"), client)
    assert [each.filename for each in wheels] == [other.name]


@pytest.mark.parametrize("value", ["sha256:" + "0" * 64, "sha512:" + "0" * 128], ids=["wrong", "other kind"])
def test_hashes_that_fit_no_file_are_refused(ask: Ask, client: Client, value: str) -> None:
    with pytest.raises(ResolveError, match=r"no file for linux/amd64 has a hash .*: beta 1\.5"):
        resolve_wheels(ask(f"beta==1.5 --hash={value}"), client)


def test_with_one_hash_every_package_needs_one(ask: Ask, client: Client, shelf: Path) -> None:
    value = sha256_of(shelf / "alpha-2.0-py3-none-any.whl")
    with pytest.raises(ResolveError, match=r"beta 1\.5 \(no hash given\)"):
        resolve_wheels(ask(f"alpha==2.0 --hash=sha256:{value}", "beta==1.5"), client)


def test_pinned_lines_of_other_tools_are_taken_as_they_are(ask: Ask, client: Client, shelf: Path, root: Path) -> None:
    line = f"alpha==1.0 --hash=sha256:{sha256_of(shelf / 'alpha-1.0-py3-none-any.whl')}"
    needs = Requirements(kind="poetry.lock", files=(root / "poetry.lock",), pinned=(line,))
    assert names(resolve_wheels(ask(requirements=needs), client)[0]) == ["alpha 1.0"]
    loose = Requirements(kind="environment.yml", files=(root / "environment.yml",), pinned=("alpha==1.0",))
    assert names(resolve_wheels(ask(requirements=loose), client)[0]) == ["alpha 1.0", "beta 1.5"]


def test_pyproject_with_groups_and_extras(ask: Ask, client: Client, root: Path) -> None:
    (root / "pyproject.toml").write_text(
        '[project]\nname = "My.App"\nversion = "0.3"\nrequires-python = ">=3.11"\ndependencies = ["alpha"]\n'
        '[project.optional-dependencies]\nmore = ["gamma"]\n[dependency-groups]\nprod = ["native"]\n'
    )
    needs = Requirements(kind="pyproject", files=(root / "pyproject.toml",), groups=("prod",), extras=("more",))
    wheels, built = resolve_wheels(ask(requirements=needs), client)
    assert names(wheels) == ["alpha 2.0", "beta 1.5", "gamma 3.0", "native 1.0"]
    assert built == ()


def test_what_has_no_wheel_is_built(ask: Ask, client: Client, shelf: Path) -> None:
    path = shelf / "just_source-1.0.tar.gz"
    expected = Built(
        name="just-source",
        version="1.0",
        kind="sdist",
        filename=path.name,
        sha256=sha256_of(path),
        size=path.stat().st_size,
    )
    assert resolve_wheels(ask("just-source"), client) == ((), (expected,))
    assert resolve_wheels(ask("just-source", target=ON_ARM), client) == ((), (expected,))


def test_what_can_only_be_built_elsewhere_is_named_at_once(ask: Ask, client: Client) -> None:
    with pytest.raises(ResolveError) as raised:
        resolve_wheels(ask("only-amd", "only-amd-too", target=ON_ARM), client)
    assert raised.value.message == (
        "no wheel of only-amd 1.0, only-amd-too 1.0 for linux/arm64, and it can only be built on such a machine"
    )


def test_folders_and_commits_are_built(ask: Ask, client: Client, root: Path, tmp_path: Path) -> None:
    make_project(root / "libs" / "inner", "inner", "0.1", dependencies=["beta"])
    repository = make_project(tmp_path / "repository" / "part", "tracked", "0.2").parent
    git = ["git", "-C", str(repository), "-c", "user.name=n", "-c", "user.email=e@example.org"]
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-qm", "x"]):
        subprocess.run([*git, *arguments], check=True)
    commit = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    request = ask("./libs/inner", f"tracked @ git+file://{repository}@{commit}#subdirectory=part")
    wheels, built = resolve_wheels(request, client)
    assert names(wheels) == ["beta 1.5"]
    assert built == (
        Built(name="inner", version="0.1", kind="path", path="libs/inner"),
        Built(name="tracked", version="0.2", kind="git", url=f"file://{repository}", commit=commit, subdirectory="part"),
    )


def test_a_local_wheel_is_a_find_links_wheel(ask: Ask, client: Client, root: Path) -> None:
    path = make_wheel(root / "wheels", "local", "1.0+here")
    wheels, _ = resolve_wheels(ask("-f wheels", "local"), client)
    assert [(each.name, each.version, each.source) for each in wheels] == [("local", "1.0+here", "find-links")]
    assert (wheels[0].sha256, wheels[0].size) == (sha256_of(path), path.stat().st_size)
    by_path, _ = resolve_wheels(ask("./wheels/local-1.0+here-py3-none-any.whl"), client)
    assert by_path[0].sha256 == sha256_of(path)


def test_uv_lock_gives_its_versions(ask: Ask, client: Client, root: Path, env: dict[str, str], index: FileServer) -> None:
    (root / "pyproject.toml").write_text(
        '[project]\nname = "app"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = ["alpha<2", "native", "inner"]\n'
        '[dependency-groups]\ndev = ["gamma"]\n'
        '[tool.uv.sources]\ninner = { path = "inner" }\n'
    )
    make_project(root / "inner", "inner", "0.1")
    done = Uv(folder=root, env={**env, "UV_DEFAULT_INDEX": index.simple}).run(["lock"])
    assert done.returncode == 0, done.stderr
    needs = Requirements(kind="uv.lock", files=(root / "uv.lock",))
    wheels, built = resolve_wheels(ask(requirements=needs, target=ON_ARM), client)
    assert names(wheels) == ["alpha 1.1", "beta 1.5", "native 1.0"]
    assert wheels[2].filename == "native-1.0-cp311-cp311-manylinux_2_17_aarch64.whl"
    assert built == (Built(name="inner", version="0.1", kind="path", path="inner"),)
    grouped = replace(needs, groups=("dev",))
    assert "gamma 3.0" in names(resolve_wheels(ask(requirements=grouped), client)[0])
    with pytest.raises(ResolveError, match=r"the versions stand in uv\.lock") as raised:
        resolve_wheels(ask(requirements=needs, upgrade=Upgrade(all=True)), client)
    assert "uv lock --upgrade" in raised.value.hint


def test_pylock_is_read_directly(ask: Ask, client: Client, root: Path, index: FileServer, shelf: Path) -> None:
    wheel = shelf / "beta-1.5-py3-none-any.whl"
    (root / "pylock.toml").write_text(
        'lock-version = "1.0"\ncreated-by = "test"\nrequires-python = ">=3.11"\n'
        '[[packages]]\nname = "beta"\nversion = "1.5"\n'
        f'wheels = [{{ url = "{index.url}/files/{wheel.name}", hashes = {{ sha256 = "{sha256_of(wheel)}" }} }}]\n'
        '[[packages]]\nname = "nope"\nversion = "1"\nmarker = "sys_platform == \'win32\'"\n'
        'sdist = { url = "https://example.org/nope-1.tar.gz", hashes = { sha256 = "00" } }\n'
    )
    needs = Requirements(kind="pylock", files=(root / "pylock.toml",))
    request = ask(requirements=needs)
    assert names(resolve_wheels(request, client)[0]) == ["beta 1.5"]
    (root / "pylock.toml").write_text('lock-version = "1.0"\ncreated-by = "test"\nrequires-python = ">=3.12"\npackages = []\n')
    with pytest.raises(ResolveError, match=r"for Python >=3\.12, the image has 3\.11"):
        resolve_wheels(request, client)
    (root / "pylock.toml").write_text("packages = 1\n")
    with pytest.raises(ResolveError, match=r"pylock\.toml cannot be used"):
        resolve_wheels(request, client)


def test_pylock_without_a_fitting_wheel_names_all_such(ask: Ask, client: Client, root: Path) -> None:
    packages = "".join(
        f'[[packages]]\nname = "{name}"\nversion = "1"\n'
        f'wheels = [{{ url = "https://example.org/{name}-1-cp39-cp39-win32.whl", hashes = {{ sha256 = "00" }} }}]\n'
        for name in ("one", "two")
    )
    (root / "pylock.toml").write_text(f'lock-version = "1.0"\ncreated-by = "test"\n{packages}')
    needs = Requirements(kind="pylock", files=(root / "pylock.toml",))
    with pytest.raises(ResolveError, match=r"no wheel of one 1, two 1 for linux/amd64 and Python 3\.11"):
        resolve_wheels(ask(requirements=needs), client)


NEWER = "wheels of newer 1.0 want glibc 2.{}, and the base has 2.36"


def newer_wheels(folder: Path, *tags: str) -> Path:
    for tag in tags:
        make_wheel(folder, "newer", "1.0", tag=tag)
    return folder


@pytest.mark.parametrize(
    ("tags", "wants", "hint"),
    [
        (
            ["cp311-cp311-manylinux_2_39_x86_64", "cp313-cp313-manylinux_2_39_x86_64"],
            39,
            'set python = "3.13", whose base has glibc 2.41',
        ),
        (
            ["cp39-abi3-manylinux_2_41_x86_64"],
            41,
            'set python = "3.13", whose base has glibc 2.41, and name the wheel by its URL or path, '
            "because uv chooses none for more than 2.40",
        ),
        (["cp311-cp311-manylinux_2_39_x86_64"], 39, "choose a version that has a wheel for glibc 2.36 or older"),
    ],
    ids=["2.39", "2.41", "one Python only"],
)
def test_wheels_for_a_newer_c_library_are_told_apart(
    ask: Ask, client: Client, root: Path, tags: list[str], wants: int, hint: str
) -> None:
    newer_wheels(root / "wheels", *tags)
    with pytest.raises(ResolveError) as raised:
        resolve_wheels(ask("-f wheels", "newer"), client)
    assert raised.value.message.splitlines()[-1] == f"  {NEWER.format(wants)}"
    assert raised.value.hint == hint
    with pytest.raises(ResolveError) as raised:
        resolve_wheels(ask(f"./wheels/newer-1.0-{tags[0]}.whl"), client)
    assert raised.value.message.splitlines() == [
        "no wheel of newer 1.0 for linux/amd64 and Python 3.11, and no source to build it from",
        f"  {NEWER.format(wants)}",
    ]
    abi3 = "abi3" in tags[0]
    assert raised.value.hint == (
        'set python = "3.13", whose base has glibc 2.41'
        if abi3
        else "choose a version that has a wheel for glibc 2.36 or older"
    )


def test_nothing_is_said_of_the_c_library_where_that_is_not_what_is_wrong(ask: Ask, client: Client, root: Path) -> None:
    newer_wheels(root / "wheels", "cp313-cp313-manylinux_2_41_x86_64", "cp311-cp311-manylinux_2_41_aarch64")
    with pytest.raises(ResolveError) as raised:
        resolve_wheels(ask("-f wheels", "newer"), client)
    assert "glibc" not in raised.value.message + raised.value.hint


def test_a_wheel_that_fits_and_that_uv_does_not_choose_can_be_named(ask: Ask, client: Client, root: Path) -> None:
    newer_wheels(root / "wheels", "cp39-abi3-manylinux_2_41_x86_64")
    trixie = Target(python="3.13", platform=AMD64, glibc=41)
    with pytest.raises(ResolveError) as raised:
        resolve_wheels(ask("-f wheels", "newer", target=trixie), client)
    assert raised.value.hint == "name the wheel by its URL or path: uv chooses none for more than glibc 2.40"
    named = ask("./wheels/newer-1.0-cp39-abi3-manylinux_2_41_x86_64.whl", target=trixie)
    assert names(resolve_wheels(named, client)[0]) == ["newer 1.0"]


def test_another_base_than_the_composed_one_is_told_of_no_other_python(ask: Ask, client: Client, root: Path) -> None:
    newer_wheels(root / "wheels", "cp39-abi3-manylinux_2_39_x86_64")
    with pytest.raises(ResolveError) as raised:
        resolve_wheels(ask("-f wheels", "newer", target=Target(python="3.11", platform=AMD64, glibc=35)), client)
    assert raised.value.hint == "choose a version that has a wheel for glibc 2.35 or older, or a base with glibc 2.39"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["alpha==9"], "the requirements cannot be resolved for linux/amd64: Because there is no version of alpha==9"),
        (["alpha==1.0", "alpha==2.0"], "unsatisfiable"),
        (["no-such-thing"], "no-such-thing was not found"),
        (["alpha==="], "position"),
        (["./absent"], "absent"),
    ],
)
def test_failures_of_uv_become_a_sentence(ask: Ask, client: Client, lines: list[str], message: str) -> None:
    with pytest.raises(ResolveError) as raised:
        resolve_wheels(ask(*lines), client)
    assert message in raised.value.message
    assert "error:" not in raised.value.message
    assert "\x1b" not in raised.value.message


def test_credentials_reach_uv_and_no_message(ask: Ask, client: Client, index: FileServer, env: dict[str, str]) -> None:
    index.auth = "joe:s3cret"
    request = ask("beta")
    with pytest.raises(ResolveError) as raised:
        resolve_wheels(request, client)
    wrong = {**env, "UV_DEFAULT_INDEX": index.with_auth("joe:wr0ng")}
    with pytest.raises(ResolveError) as raised:
        resolve_wheels(replace(request, env=wrong), client)
    assert "wr0ng" not in raised.value.message + raised.value.hint
    right = {**env, "UV_DEFAULT_INDEX": index.with_auth("joe:s3cret")}
    indexes = replace(find_indexes(request.root, right), hints=request.indexes.hints)
    with Client(Credentials(given=indexes.credentials)) as known:
        wheels, _ = resolve_wheels(replace(request, env=right, indexes=indexes), known)
        assert names(wheels) == ["beta 1.5"]
        for hints in (indexes.hints, None):
            url = next(wheel_urls(wheels[0], replace(indexes, hints=hints), known))
            assert known.get(url)
    kept = [path.read_text() for path in (request.indexes.hints or Path()).iterdir()]
    assert kept
    assert "s3cret" not in "".join(kept)


@pytest.mark.parametrize("json", [True, False], ids=["json", "html"])
def test_wheels_are_found_on_the_index(index: FileServer, client: Client, shelf: Path, json: bool) -> None:
    index.json = json
    path = shelf / "alpha-1.1-py3-none-any.whl"
    wheel = Wheel(name="alpha", version="1.1", filename=path.name, sha256=sha256_of(path), size=1)
    assert list(wheel_urls(wheel, Indexes(default=index.simple), client)) == [f"{index.url}/files/{path.name}"]
    missing = replace(wheel, sha256="0" * 64)
    with pytest.raises(ResolveError, match=r"alpha-1\.1-py3-none-any\.whl is in none of the configured places"):
        list(wheel_urls(missing, Indexes(default=index.simple), client))


def test_after_a_lock_no_index_is_asked(ask: Ask, client: Client, index: FileServer) -> None:
    request = ask("beta")
    wheels, _ = resolve_wheels(request, client)
    index.requests.clear()
    assert next(wheel_urls(wheels[0], request.indexes, client)) == f"{index.url}/files/{wheels[0].filename}"
    assert index.requests == []


def test_places_are_tried_in_order(index: FileServer, client: Client, shelf: Path, tmp_path: Path) -> None:
    path = shelf / "beta-1.5-py3-none-any.whl"
    wheel = Wheel(name="beta", version="1.5", filename=path.name, sha256=sha256_of(path), size=1)
    lock = tmp_path / "uv.lock"
    lock.write_text(f'wheels = [{{ url = "https://example.org/x/{path.name}", hash = "..." }}]')
    with serve(FileServer(tmp_path)) as empty:
        indexes = Indexes(default=index.simple, extra=(empty.simple,), find_links=(shelf.as_uri(),), files=(lock,))
        assert list(wheel_urls(wheel, indexes, client)) == [
            path.as_uri(),
            f"{index.url}/files/{path.name}",
            f"https://example.org/x/{path.name}",
        ]
        assert empty.paths() == ["/simple/beta/"]


def test_an_index_out_of_reach_is_named(client: Client) -> None:
    wheel = Wheel(name="beta", version="1.5", filename="beta-1.5-py3-none-any.whl", sha256="0" * 64, size=1)
    with pytest.raises(NetworkError, match=r"GET http://127\.0\.0\.1:9/simple/beta/ failed"):
        list(wheel_urls(wheel, Indexes(default="http://joe:secret@127.0.0.1:9/simple"), client))


@pytest.mark.network
def test_torch_for_cpu_comes_from_find_links(root: Path, client: Client, tmp_path: Path) -> None:
    folder = os.environ.get("PIP_FIND_LINKS", "")
    if not folder or not list(Path(folder).glob("torch-*+cpu-cp311-*.whl")):
        pytest.skip("no folder with torch for CPU")
    (root / "requirements.txt").write_text("torch==2.13.0\n")
    env = {**os.environ, "UV_FIND_LINKS": folder}
    request = WheelRequest(
        root=root,
        requirements=Requirements(kind="requirements", files=(root / "requirements.txt",)),
        target=Target(python="3.11", platform=AMD64, glibc=36),
        host=AMD64,
        indexes=find_indexes(root, env, hints=tmp_path / "hints"),
        env=env,
    )
    wheels, built = resolve_wheels(request, client)
    torch = next(each for each in wheels if each.name == "torch")
    assert (torch.version, torch.source, built) == ("2.13.0+cpu", "find-links", ())
    assert next(wheel_urls(torch, request.indexes, client)).startswith("file:///")

"""Options of package managers whose value is a word of its own, from the reference of each command line."""

from __future__ import annotations

_INDEX = ("-i", "--index-url", "--extra-index-url", "-f", "--find-links")
PIP_VALUED = frozenset(
    (
        *(
            *_INDEX,
            "-r",
            "--requirement",
            "-c",
            "--constraint",
            "-e",
            "--editable",
            "-t",
            "--target",
            "--platform",
            "-b",
            "--build",
        ),
        *("--python-version", "--implementation", "--abi", "--root", "--prefix", "--src", "--upgrade-strategy", "-C"),
        *("--config-settings", "--config-setting", "--global-option", "--build-option", "--install-option", "--no-binary"),
        *("--only-binary", "--progress-bar", "--root-user-action", "--report", "--group", "--log", "--proxy", "--retries"),
        *("--timeout", "--default-timeout", "--exists-action", "--trusted-host", "--cert", "--client-cert", "--cache-dir"),
        *("--use-feature", "--use-deprecated", "--keyring-provider", "--resume-retries", "--python", "-p", "-d", "--dest"),
        *("-w", "--wheel-dir", "--uploaded-prior-to", "--build-constraint"),
    )
)
UV_VALUED = frozenset(
    (
        *(
            *_INDEX,
            "-r",
            "--requirement",
            "--requirements",
            "-c",
            "--constraint",
            "--constraints",
            "-e",
            "--editable",
            "--target",
        ),
        *("--prefix", "--python", "-p", "--index", "--default-index", "--index-strategy", "--keyring-provider", "--extra"),
        *(
            "--group",
            "--only-group",
            "--no-group",
            "--package",
            "--resolution",
            "--prerelease",
            "--exclude-newer",
            "--link-mode",
        ),
        *("--cache-dir", "--config-file", "--directory", "--project", "--torch-backend", "--python-platform", "--override"),
        *("--overrides", "--python-version", "--no-binary", "--only-binary", "--no-install-package", "--upgrade-package", "-P"),
        *(
            "--reinstall-package",
            "--refresh-package",
            "--no-build-package",
            "--no-build-isolation-package",
            "--tag",
            "--branch",
        ),
        *("--rev", "--with", "--with-requirements", "--with-editable", "-C", "--config-setting", "--allow-insecure-host"),
        *("--build-constraint", "--build-constraints", "--no-extra", "--marker", "-m", "--bounds", "--color"),
        *("--no-binary-package", "--no-emit-package", "--fork-strategy", "--trusted-host", "--optional"),
    )
)
CONDA_VALUED = frozenset(
    (
        *(
            "-n",
            "--name",
            "-p",
            "--prefix",
            "-c",
            "--channel",
            "-f",
            "--file",
            "--solver",
            "--repodata-fn",
            "--subdir",
            "--platform",
        ),
        *("-r", "--root-prefix", "--rc-file", "--experimental-solver", "--pip-requirements", "--clone", "--channel-priority"),
    )
)

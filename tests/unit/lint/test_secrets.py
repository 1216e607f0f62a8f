import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipwheel.lint.secrets import generated, judged, redacted, secret_name, tokens_in

SECRET_NAMES = """
HF_TOKEN HUGGING_FACE_HUB_TOKEN hf-token NotebookApp.token hfToken DB_PASS sa_password DBPASSWORD GITHUB_PAT APIKEY
OPENAI_API_KEY AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY SECRET_KEY CLIENT_SECRET SSH_PRIVATE_KEY WANDB_KEY HF_TOKEN_READ
DB_PASSWORD_2 hftoken GITTOKEN WANDBKEY"""
OTHER_NAMES = """
MAX_TOKENS MAX_TOKEN_LENGTH TOKENIZERS_PARALLELISM EOS_TOKEN TOKEN_FILE POSTGRES_PASSWORD_FILE TOKEN_URL
SECRET_NAME GPG_KEY ACCESS_TOKEN_EXPIRE_MINUTES MYSQL_ALLOW_EMPTY_PASSWORD PWD OLDPWD KEY PATH PUBLIC_KEY
SORT_KEY GOOGLE_APPLICATION_CREDENTIALS PASS COMPASS
NUM_TOKEN SPECIAL_TOKEN KEYBOARD MONKEY PATTERN ntoken detoken PRIMARYKEY"""


@pytest.mark.parametrize("name", SECRET_NAMES.split())
def test_names_of_secrets(name: str) -> None:
    assert secret_name(name)


@pytest.mark.parametrize("name", OTHER_NAMES.split())
def test_names_that_only_look_like_it(name: str) -> None:
    assert not secret_name(name)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("", "nothing"),
        ('""', "nothing"),
        ("true", "nothing"),
        ("EMPTY", "nothing"),
        ("not-needed", "nothing"),
        ("$HF_TOKEN", "reference"),
        ("${HF_TOKEN:-}", "reference"),
        ("${{ secrets.HF_TOKEN }}", "reference"),
        ("/run/secrets/hf_token", "reference"),
        ("changeme", "placeholder"),
        ("mustset", "placeholder"),
        ("your-key-here", "placeholder"),
        ("<token>", "placeholder"),
        ("xxxxxxxx", "placeholder"),
        ("postgres", "weak"),
        ("minioadmin123", "weak"),
        ("1234", "weak"),
        ("g0rd0n1!", "secret"),
        ("hf_xyz123", "secret"),
        ("sk-proj-a1b2c3d4e5f6g7h8i9", "secret"),
        ("correct horse battery", "secret"),
    ],
)
def test_values(value: str, kind: str) -> None:
    assert judged(value) == kind


def test_what_a_program_made() -> None:
    assert generated("9f86d081884c7d659a2feaa0c55ad015")
    assert generated("wJalrXUtnFEMI/K7MDENG/bPxRfiCYzz1")
    assert not generated("a-rather-long-name-of-2-words")
    assert not generated("/opt/models/llama-3")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("ENV HF_TOKEN=hf_abcDEF1234 A=b", "ENV HF_TOKEN=************* A=b"),
        ("ENV HF_TOKEN hf-1", "ENV HF_TOKEN ****"),
        ("ENV HF_TOKEN  $TOKEN", "ENV HF_TOKEN  $TOKEN"),
        ("RUN pip install hf_transfer", "RUN pip install hf_transfer"),
        ("pip install -i https://user:pw@host/simple", "pip install -i https://user:**@host/simple"),
        ("git clone https://oauth2:${T}@host/x", "git clone https://oauth2:${T}@host/x"),
        ("docker login -u x -p geheim reg.io", "docker login -u x -p ****** reg.io"),
        ("echo 'root:toor1' | chpasswd", "echo '**********' | chpasswd"),
        ("- name: HF_TOKEN\n  value: abc1", "- name: HF_TOKEN\n  value: ****"),
        ('{"name": "DB_PASSWORD", "value": "ab1"}', '{"name": "DB_PASSWORD", "value": *****}'),
        ("- name: DB_HOST\n  value: abc1", "- name: DB_HOST\n  value: abc1"),
        ('CMD ["x", "--api-key", "ab1", "--max-tokens", "5"]', 'CMD ["x", "--api-key", *****, "--max-tokens", "5"]'),
        ("args:\n- --api-key\n- ab1", "args:\n- --api-key\n- ***"),
        ("login --token hf_x", "login --token ****"),
        ("login --token=$T", "login --token=$T"),
        ("curl -H 'Authorization: Bearer abc'", "curl -H 'Authorization: Bearer ***'"),
        ('{"api_key": "sd;f,kj"}', '{"api_key": *********}'),
        ("wandb login 0123", "wandb login ****"),
        ("# the token that pulls", "# the token that pulls"),
        ("token = os.environ['A']", "token = os.environ['A']"),
        ("POSTGRES_PASSWORD: example", "POSTGRES_PASSWORD: *******"),
        ("POSTGRES_PASSWORD_FILE: /run/secrets/x", "POSTGRES_PASSWORD_FILE: /run/secrets/x"),
    ],
)
def test_secrets_are_blanked_and_nothing_else(text: str, shown: str) -> None:
    assert redacted(text) == shown


SECRET = st.text("0123456789abcdef", min_size=24, max_size=40).map("zq7".__add__)
PLACES = [
    "ENV HF_TOKEN={}",
    "ARG API_KEY={}",
    "RUN x --password {}",
    "  DB_PASSWORD: {}",
    "https://u:{}@h/",
    '"secret": "{}"',
    '"--api-key", "{}"',
    "- name: DB_PASSWORD\n  value: {}",
    "ENV TOKEN {}",
]


@given(st.text(), SECRET, st.sampled_from(PLACES), st.text())
def test_a_secret_never_survives(before: str, secret: str, place: str, after: str) -> None:
    text = f"{before}\n{place.format(secret)}\n{after}"
    shown = redacted(text)
    assert secret not in shown
    assert len(shown) == len(text)
    assert [at for at, char in enumerate(shown) if char in "\r\n"] == [at for at, char in enumerate(text) if char in "\r\n"]
    assert redacted(shown) == shown


@given(st.text("hf_sk-ghp:/@=\"' \nTOKEN0123456789abc$"))
def test_any_text_is_read_twice_with_the_same_result(text: str) -> None:
    shown = redacted(text)
    assert redacted(shown) == shown
    assert len(shown) == len(text)
    assert all(0 <= start < end <= len(text) for start, end in tokens_in(text))

"""How messages name things."""

from shipwheel.lint.wording import listed


def test_names_are_listed_and_counted() -> None:
    assert [listed("abcdefgh"[:count]) for count in (0, 1, 2, 3, 5, 6, 8)] == [
        *("", "a", "a and b", "a, b and c", "a, b, c, d and e"),
        *("a, b, c, d, e and 1 more", "a, b, c, d, e and 3 more"),
    ]
    assert listed(["x", "x"]) == "x"

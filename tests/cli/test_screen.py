"""What the demo prints where there is no terminal: lines, nothing that moves a cursor."""

import pytest

from payment_kit.cli.screen import Screen


def test_without_a_terminal_there_are_only_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen()
    with screen.progress("Business", "payments") as report:
        report(1, 10, "1 July")
    screen.done("Business", "10 payments")
    screen.fail("Proof")
    out = capsys.readouterr().out
    assert out == "✓ Business  10 payments\n✗ Proof\n"


def test_with_json_on_stdout_the_stages_go_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    Screen(to_stderr=True).done("Business")
    assert capsys.readouterr() == ("", "✓ Business\n")


def test_figures_are_right_aligned_and_whole(capsys: pytest.CaptureFixture[str]) -> None:
    Screen().table(["", "Stripe"], [["charges", "2,000"], ["a_very_long_name_of_a_table_that_must_stay", "7"]])
    lines = capsys.readouterr().out.splitlines()
    assert [line.rstrip() for line in lines] == [
        "                                                Stripe",
        "    charges                                      2,000",
        "    a_very_long_name_of_a_table_that_must_stay       7",
    ]

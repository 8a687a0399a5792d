"""`payment-kit doctor`: what is set, what is missing, and the command that fixes it."""

import click
import orjson

from payment_kit.cli.screen import Screen

MARKS = {"ok": "✓", "warn": "!", "fail": "✗", "skip": "·"}
STYLES = {"ok": "green", "warn": "yellow", "fail": "red", "skip": "dim"}


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="The findings as JSON on stdout.")
def command(*, as_json: bool) -> int:
    """Look at settings, database, Stripe, webhooks, ports and lag; say what to do about each trouble.

    Changes no object and starts nothing that stays. Exit code: 0 all is well (warnings allowed), 1 there is trouble.
    """
    from payment_kit.cli.doctor_checks import examine

    findings = examine()
    if as_json:
        click.echo(orjson.dumps([finding._asdict() for finding in findings], option=orjson.OPT_INDENT_2))
    else:
        screen = Screen()
        width = max(len(finding.name) for finding in findings)
        for finding in findings:
            mark = f"[{STYLES[finding.mark]}]{MARKS[finding.mark]}[/]"
            screen.console.print(f"{mark} {finding.name:<{width}}  ", end="")
            screen.console.print(finding.detail, markup=False)
            if finding.fix:
                screen.console.print(f"  {'':<{width}}  → {finding.fix}", markup=False)
    return 1 if any(finding.mark == "fail" for finding in findings) else 0

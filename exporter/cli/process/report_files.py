"""The files that flags of `export` and `load` name for other programs: metrics and a summary."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from exporter.cli.process import messages
from exporter.cli.process.failures import sentence
from exporter.cli.process.json_text import json_text, print_json
from exporter.cli.process.outcome import LoadOutcome, Outcome
from exporter.cli.process.reports import can_write, write_report
from exporter.errors import OutputError, SettingsError

_STDOUT = "-"


@dataclass(frozen=True)
class ReportFiles:
    """The values of `--metrics-file`, `--metrics-job` and `--summary-json`."""

    metrics_file: Path | None = None
    metrics_job: str = ""
    summary_json: str | None = None

    def check(self) -> None:
        """Refuse files that could not be written after hours of work; raises `SettingsError`."""
        for flag, named in (
            ("--metrics-file", self.metrics_file),
            ("--summary-json", self.summary_json),
        ):
            if named is not None and not _can_write(named):
                raise SettingsError(
                    f"{flag} {Path(named).absolute()} cannot be written: name a file in a folder "
                    "that exists and that this user may write to."
                )

    def write(self, outcome: Outcome | LoadOutcome) -> None:
        """Write the files; a failure is reported, and changes nothing about the run."""
        try:
            if self.metrics_file is not None:
                # Few runs write metrics, and their library takes as long to import as YAML's.
                from exporter.cli.process.metrics import write_metrics  # noqa: PLC0415

                write_metrics(self.metrics_file, outcome, job=self.metrics_job)
            if self.summary_json is not None:
                _write_summary(self.summary_json, outcome)
        except OutputError as error:
            messages.write(sentence(error), event="report_failed")
        except OSError as error:
            messages.write(
                f"{error.filename or 'A file'} cannot be written: {error.strerror or error}.",
                event="report_failed",
            )

    def writable(self) -> ReportFiles:
        """Return the same without the files that cannot be written."""
        metrics, summary_ = self.metrics_file, self.summary_json
        return ReportFiles(
            metrics if metrics and _can_write(metrics) else None,
            self.metrics_job,
            summary_ if summary_ and _can_write(summary_) else None,
        )


def _can_write(named: Path | str) -> bool:
    return named == _STDOUT or can_write(Path(named))


def _write_summary(target: str, outcome: Outcome | LoadOutcome) -> None:
    content = _of_load(outcome) if isinstance(outcome, LoadOutcome) else _of_run(outcome)
    if target == _STDOUT:
        print_json(content)
    else:
        write_report(Path(target), json_text(content))


def _of_run(outcome: Outcome) -> dict[str, Any]:
    content: dict[str, Any] = {"exit_code": outcome.exit_code}
    if outcome.manifest is None:
        content |= {"status": outcome.status, "error": outcome.error}
    else:
        # An export has imported it, and a load has no need of it.
        from exporter.run import summary  # noqa: PLC0415

        content |= summary(outcome.manifest)
    if outcome.load is not None:
        content["load"] = _of_load(outcome.load)
    return content


def _of_load(outcome: LoadOutcome) -> dict[str, Any]:
    return {
        "exit_code": outcome.exit_code,
        "status": outcome.status,
        "error": outcome.error,
        "warehouse": outcome.warehouse,
        "seconds": round(outcome.seconds, 3),
        "planned": outcome.planned,
        "loaded": [asdict(one) for one in outcome.loaded],
        "removed": outcome.removed,
        "left_out": {"partial": outcome.partial, "unreadable": outcome.unreadable},
    }

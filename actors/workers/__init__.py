"""The workers that ship with the library, and where each is; none is imported before it is used."""

from __future__ import annotations

from typing import Final

__all__ = ["BUILT_IN"]

BUILT_IN: Final[dict[str, str]] = {
    "file_analyzer": "actors.workers.file_analyzer:FileAnalyzer",
    "general_purpose": "actors.workers.general_purpose:GeneralPurpose",
    "git_integrator": "actors.workers.git_integrator:GitIntegrator",
    "orchestrator": "actors.workers.orchestrator:Orchestrator",
    "quality_checker": "actors.workers.quality_checker:QualityChecker",
    "template_processor": "actors.workers.template_processor:TemplateProcessor",
}
"""By agent type, "module:Class"."""

"""The page: what can be dropped on it, and what it then shows."""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from foveate.datasets.errors import DataError
from foveate.pipeline.demo.explaining import can_explain, explained
from foveate.pipeline.demo.views import confidence_of, difference_of, overlay_of, table_of
from foveate.pipeline.errors import FoveateError
from foveate.pipeline.predictor import Predictor, Segmentation
from foveate.pipeline.text import few
from foveate.pipeline.video.labelling import VideoOptions, label_video

ONE_AT_A_TIME = {"concurrency_limit": 1, "concurrency_id": "network", "api_visibility": "private"}
PICTURE: dict[str, Any] = {"format": "png", "interactive": False, "buttons": ["download", "fullscreen"]}  # no `share`
OPACITY = 0.5


def build_page(models: Mapping[str, Predictor], folder: Path) -> Any:
    """The page of one model or of two side by side.

    Args:
        models: By the name that is shown.
        folder: Where labelled videos lie; it is removed at the end.
    """
    kinds = {predictor.kind for predictor in models.values()}
    with gr.Blocks(title="Foveate", analytics_enabled=False) as page:
        gr.Markdown(f"# Foveate\n{' and '.join(f'`{name}`' for name in models)}")
        with gr.Tab("Image"):
            image = gr.Image(type="filepath", image_mode=None, sources=["upload", "clipboard"], elem_id="image")
            _image_tab(models, image)
        if "segmentation" in kinds and importlib.util.find_spec("av"):
            with gr.Tab("Video"):
                _video_tab({name: one for name, one in models.items() if one.kind == "segmentation"}, folder)
        if can_explain() and any(predictor.network is not None for predictor in models.values()):
            with gr.Tab("Why"):
                _why_tab({name: one for name, one in models.items() if one.network is not None}, image)
    return page


def _image_tab(models: Mapping[str, Predictor], image: Any) -> None:
    results = gr.State(None)
    segments = any(predictor.kind == "segmentation" for predictor in models.values())
    opacity = gr.Slider(0, 1, OPACITY, step=0.05, label="opacity", elem_id="opacity", visible=segments)
    overlays, confidences, tables = [], [], []
    with gr.Row():
        for number, (name, predictor) in enumerate(models.items()):
            with gr.Column():
                shown = {"visible": predictor.kind == "segmentation", **PICTURE}
                overlays.append(gr.Image(label=name, elem_id=f"overlay-{number}", **shown))
                confidences.append(gr.Image(label="confidence", elem_id=f"confidence-{number}", **shown))
                tables.append(gr.HTML(elem_id=f"classes-{number}"))
    compared = len(models) == 2 and all(predictor.kind == "segmentation" for predictor in models.values())
    difference = gr.Image(label="where the models differ", elem_id="difference", visible=compared, **PICTURE)
    told = gr.Markdown(elem_id="difference-told", visible=compared)
    redrawn = [*overlays]
    image.change(
        told_errors(lambda path, strength: _predicted(list(models.values()), path, strength)),
        [image, opacity],
        [results, *redrawn, *tables, *confidences, difference, told],
        **ONE_AT_A_TIME,
    )
    opacity.change(
        lambda found, strength: [_overlay(one, strength) for one in found or [None] * len(models)],
        [results, opacity],
        redrawn if len(redrawn) > 1 else redrawn[0],
        api_visibility="private",
    )


def _predicted(predictors: Sequence[Predictor], path: str | None, opacity: float) -> list[Any]:
    """The values of all components for an image; empty ones if it was taken away."""
    if path is None:
        return [None] * (1 + 3 * len(predictors) + 2)
    found = [predictor(path) for predictor in predictors]
    views = [[_overlay(one, opacity) for one in found], [table_of(one) for one in found]]
    views.append([confidence_of(one) if isinstance(one, Segmentation) else None for one in found])
    compared: tuple[Any, Any] = (None, None)
    if len(found) == 2 and all(isinstance(one, Segmentation) for one in found):
        compared = difference_of(found[0], found[1])
    return [found, *(value for view in views for value in view), *compared]


def _overlay(result: Any, opacity: float) -> Any:
    return overlay_of(result, opacity) if isinstance(result, Segmentation) else None


def _video_tab(models: Mapping[str, Predictor], folder: Path) -> None:
    with gr.Row():
        given = gr.Video(label="video", sources=["upload"], elem_id="video")
        made = gr.Video(label="overlay", interactive=False, elem_id="labelled", buttons=["download"])
    model = gr.Dropdown(list(models), value=next(iter(models)), label="model", visible=len(models) > 1)
    every = gr.Slider(1, 30, 1, step=1, label="every n-th frame goes through the network")
    told = gr.Markdown(elem_id="labelled-told")

    def label(path: str | None, name: str, step: float) -> tuple[str | None, str]:
        if path is None:
            return None, ""
        out = Path(tempfile.mkdtemp(dir=folder))
        predictor = models[name]
        done = label_video(Path(path), out, lambda images: predictor(list(images)), VideoOptions(every=int(step)))
        faults = f"; damaged: {few(done.faults, 3, '; ')}" if done.faults else ""
        return str(done.files["overlay"]), f"{done.frames} frames{faults}"

    gr.Button("Label", elem_id="label").click(told_errors(label), [given, model, every], [made, told], **ONE_AT_A_TIME)


def _why_tab(models: Mapping[str, Predictor], image: Any) -> None:
    gr.Markdown("Grad-CAM, the effective receptive field and the attention maps of blocks, for the image dropped.")
    model = gr.Dropdown(list(models), value=next(iter(models)), label="model", visible=len(models) > 1)
    button = gr.Button("Explain", elem_id="explain")
    picture = gr.Image(label="explanation", elem_id="explained", **PICTURE)

    def explain(path: str | None, name: str) -> Any:
        return None if path is None else explained(models[name], path)

    button.click(told_errors(explain), [image, model], picture, **ONE_AT_A_TIME)


def told_errors(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function whose errors of data and settings are shown on the page, in their one line.

    Args:
        function: Any function.
    """

    def guarded(*given: Any) -> Any:
        try:
            return function(*given)
        except (FoveateError, DataError) as error:
            raise gr.Error(str(error), print_exception=False) from error

    return guarded

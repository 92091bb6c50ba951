"""Every rule of the conformance kit, in the order in which they are tried."""

from __future__ import annotations

from foveate.plugins.conformance import behaviour, copies, device, features, graphs, learning, maps
from foveate.plugins.conformance.rule import Rule

RULES: tuple[Rule, ...] = (
    features.build_and_run,
    features.keep_shape,
    features.keep_widths,
    features.take_one_sample,
    features.keep_dtype,
    features.keep_layout,
    device.follow_device,
    learning.stay_finite,
    learning.reach_weights,
    learning.use_parameters,
    learning.reach_input,
    learning.name_slower_parts,
    behaviour.leave_input,
    behaviour.repeat,
    behaviour.forget,
    behaviour.keep_samples_apart,
    behaviour.differ_as_declared,
    maps.give_maps,
    copies.save_and_load,
    copies.copy_deeply,
    copies.pickle_and_back,
    graphs.compile_it,
    graphs.export_it,
    graphs.run_as_onnx,
)

"""Does an exported model give its own answers here, and how fast? python check_model.py MODEL [--resaved]"""

import base64, hashlib, json, sys, time, zipfile, zlib  # noqa: E401, I001  a short file, which needs
from typing import Any  # NumPy and the runtime of the model alone; --resaved accepts what other software saved
import numpy as np


def open_model(path: str) -> tuple[dict[str, Any], Any]:
    """The contract of a file, and a function from images (B, C, H, W) in bytes to logits or labels."""
    if path.endswith(".onnx"):
        runtime = __import__("onnxruntime")
        session = runtime.InferenceSession(path, providers=runtime.get_available_providers())
        contract = json.loads(session.get_modelmeta().custom_metadata_map["foveate"])
        return contract, lambda image: session.run(None, {"image": image})[0]
    if path.endswith(".xml"):
        sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # its import fails: none is sent
        core = __import__("openvino").Core()
        model = core.read_model(path)
        contract = json.loads(model.get_rt_info(["foveate", "contract"]).astype(str))
        compiled = core.compile_model(model, "CPU", contract["runtime_hints"])
        return contract, lambda image: compiled([image])[0].copy()
    with zipfile.ZipFile(path) as archive:
        contract = json.loads(archive.read(next(n for n in archive.namelist() if n.endswith("extra/foveate.json"))))
    torch = __import__("torch")
    model = torch.export.load(path).module() if path.endswith(".pt2") else torch.jit.load(path)
    return contract, lambda image: torch.no_grad()(model)(torch.from_numpy(image)).numpy()


def faults_of(path: str, resaved: bool = False) -> list[str]:
    """What is wrong with a file here; prints how fast it is."""
    contract, run = open_model(path)
    faults, test = [], contract.pop("self_test")
    if hashlib.sha256(json.dumps(contract, sort_keys=True).encode()).hexdigest() != test["contract"]:
        faults.append("its contract was changed: classes, mean, layout or sizes are not those exported")
    with open(path[:-3] + "bin" if path.endswith(".xml") else path, "rb") as file:  # the end may hold this test
        if test["sha256"] not in (None, hashlib.sha256(file.read(test["bytes"])).hexdigest()) and not resaved:
            faults.append("its bytes are not those exported: damaged, or saved again (--resaved allows that)")
    for case in test["images"]:  # each image is stored small, and enlarged by repeating its pixels
        stored, wanted, logits = (zlib.decompress(base64.b64decode(case[k])) for k in ("image", "labels", "logits"))
        small, (height, width) = np.frombuffer(stored, np.uint8).reshape(case["stored_size"]), case["size"]
        rows, columns = np.arange(height) * small.shape[1] // height, np.arange(width) * small.shape[2] // width
        image = np.ascontiguousarray(small[None][:, :, rows][..., columns])
        times = [(time.perf_counter(), output := run(image), time.perf_counter()) for _ in range(5)]
        labels = (output if contract["output"]["name"] == "labels" else output.argmax(1)).ravel()
        right = np.frombuffer(wanted, np.uint16)
        equal = float((labels == right).mean()) if labels.shape == right.shape else 0.0
        given, sample = output.ravel()[:: case["every"]].astype(np.float32), np.frombuffer(logits, np.float32)
        error = np.abs(given - sample).max() / np.abs(sample).max() if given.shape == sample.shape else len(logits)
        took = 1e3 * np.median([end - begin for begin, _, end in times])
        print(told := f"{height} x {width}: {equal:.2%} of the labels right, logits off by {error:.2g}, {took:.1f} ms")
        faults += [told] * (not (equal >= test["least_equal"] and error <= test["largest_error"]))
    return faults


if __name__ == "__main__":
    try:
        found = faults_of(sys.argv[1], "--resaved" in sys.argv)
    except Exception as error:  # a runtime may raise anything for a damaged file
        found = [f"it does not run here: {error!r}"]
    sys.exit("\n".join(f"WRONG {fault}" for fault in found) or print("the file gives the model's answers here"))

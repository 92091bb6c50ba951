"""Our own encoders, decoders, losses, metrics and data sets, registered through the hooks that plugins use."""

from __future__ import annotations

from collections.abc import Iterator

from foveate.pipeline.metrics.offered import METRICS
from foveate.pipeline.offered_data import PUBLISHED
from foveate.plugins import DataSet, Decoder, Encoder, Loss, Metric, hookimpl

_MODELS = "foveate.pipeline.models"
_LOSSES = "foveate.pipeline.losses"
_DATA = "foveate.datasets"
_LAYOUTS = "foveate.datasets.layouts"

# For each family: its file, its paper, and the summary of each model.
_ENCODERS = (
    (
        "conv_attention",
        "arXiv:2209.08575",
        {
            "mscan_t": "MSCAN T, the encoder of SegNeXt: 3.9 M parameters",
            "mscan_s": "MSCAN S: 13.5 M parameters",
            "mscan_b": "MSCAN B: 26.3 M parameters",
            "mscan_l": "MSCAN L: 44.6 M parameters",
        },
    ),
    (
        "mobilenet_v2",
        "arXiv:1801.04381",
        {
            "mobilenet_v2_035": "MobileNetV2 at width 0.35: 0.3 M parameters",
            "mobilenet_v2_050": "MobileNetV2 at width 0.5: 0.5 M parameters",
            "mobilenet_v2_075": "MobileNetV2 at width 0.75: 1.0 M parameters",
            "mobilenet_v2_100": "MobileNetV2 at width 1.0: 1.8 M parameters",
            "mobilenet_v2_130": "MobileNetV2 at width 1.3: 3.0 M parameters",
            "mobilenet_v2_140": "MobileNetV2 at width 1.4: 3.5 M parameters",
        },
    ),
    (
        "vit",
        "arXiv:2010.11929",
        {
            "vit_ti": "ViT Ti, patches of 16: 5.5 M parameters",
            "vit_s": "ViT S, patches of 16: 21.7 M parameters",
            "vit_b": "ViT B, patches of 16: 85.8 M parameters",
            "vit_l": "ViT L, patches of 16: 303.3 M parameters",
        },
    ),
    (
        "conv_attention",
        "arXiv:2202.09741",
        {
            "van_b0": "VAN B0: 3.8 M parameters",
            "van_b1": "VAN B1: 13.3 M parameters",
            "van_b2": "VAN B2: 26.1 M parameters",
            "van_b3": "VAN B3: 44.3 M parameters",
            "van_b4": "VAN B4: 59.8 M parameters",
            "van_b5": "VAN B5: 89.2 M parameters",
            "van_b6": "VAN B6: 199.1 M parameters",
        },
    ),
)


@hookimpl
def foveate_encoders() -> Iterator[Encoder]:
    """The encoders of this package, of timm and of segmentation_models_pytorch."""
    for file, paper, names in _ENCODERS:
        here = f"{_MODELS}.{file}"
        for name, summary in names.items():
            yield Encoder(
                name=name,
                summary=summary,
                paper=paper,
                build=f"{here}:create_encoder",
                classifier=f"{here}:create_classifier",
            )
    yield Encoder(
        name="timm",
        prefix=True,
        summary="Any network of timm that gives features, such as timm:convnext_atto",
        build=f"{_MODELS}.timm:create_encoder",
        names=f"{_MODELS}.timm:list_encoders",
        classifier=f"{_MODELS}.timm:create_classifier",
    )
    yield Encoder(
        name="smp",
        prefix=True,
        summary="Any encoder of segmentation_models_pytorch, such as smp:resnet18",
        build=f"{_MODELS}.smp.encoder:create_encoder",
    )


@hookimpl
def foveate_decoders() -> Iterator[Decoder]:
    """The decoders of this package and of segmentation_models_pytorch."""
    yield Decoder(
        name="light_ham",
        summary="The decoder of SegNeXt: global context by matrix factorisation",
        build=f"{_MODELS}.light_ham:create_decoder",
        paper="arXiv:2209.08575",
    )
    yield Decoder(
        name="linear_head",
        summary="A batch norm and a 1 x 1 convolution over all features: for pretrained transformers",
        build=f"{_MODELS}.linear:create_decoder",
        paper="arXiv:2304.07193",
    )
    yield Decoder(
        name="smp",
        prefix=True,
        summary="Any decoder of segmentation_models_pytorch: smp:Unet, smp:FPN, smp:DeepLabV3Plus, smp:UPerNet ...",
        build=f"{_MODELS}.smp.decoder:create_decoder",
        names=f"{_MODELS}.smp.names:list_decoders",
    )


@hookimpl
def foveate_losses() -> Iterator[Loss]:
    """The losses of this package."""
    yield Loss(
        name="cross_entropy",
        summary="Cross-entropy, averaged over the labelled or over all pixels",
        build=f"{_LOSSES}.cross_entropy:CrossEntropy",
    )
    yield Loss(
        name="binary_cross_entropy",
        summary="Binary cross-entropy of each class; for images mixed with others",
        build=f"{_LOSSES}.binary_cross_entropy:BinaryCrossEntropy",
        paper="arXiv:2110.00476",
    )
    yield Loss(
        name="focal",
        summary="Cross-entropy with less weight on what is predicted well already",
        build=f"{_LOSSES}.focal:Focal",
        paper="arXiv:1708.02002",
    )
    yield Loss(
        name="ohem",
        summary="Cross-entropy over the pixels that are predicted worst (online hard example mining)",
        build=f"{_LOSSES}.ohem:Ohem",
        paper="arXiv:1604.03540",
    )
    yield Loss(
        name="dice",
        summary="One minus the overlap of prediction and label (Dice), averaged over the classes",
        build=f"{_LOSSES}.regions:dice",
        paper="arXiv:1606.04797",
    )
    yield Loss(
        name="jaccard",
        summary="One minus a smooth intersection over union, averaged over the classes",
        build=f"{_LOSSES}.regions:jaccard",
    )
    yield Loss(
        name="lovasz",
        summary="Lovasz-Softmax: a convex surrogate of one minus the mean IoU",
        build=f"{_LOSSES}.lovasz:Lovasz",
        paper="arXiv:1705.08790",
    )


@hookimpl
def foveate_metrics() -> Iterator[Metric]:
    """The metrics of this package."""
    yield from METRICS


@hookimpl
def foveate_data() -> Iterator[DataSet]:
    """The data sets of this package; the first that recognises a folder is taken."""
    yield from PUBLISHED
    yield DataSet(
        name="folder",
        summary="Folders of images and masks of your own, in any usual arrangement",
        build=f"{_DATA}.folder:FolderDataModule",
        detect=f"{_LAYOUTS}:is_folders",
    )
    yield DataSet(
        name="image_folder",
        summary="Images in one folder for each class: train/CLASS/*.jpg and val/CLASS/*.jpg",
        build=f"{_DATA}.image_folder:ImageFolderDataModule",
        detect=f"{_LAYOUTS}:is_class_folders",
    )
    yield DataSet(
        name="hub",
        summary="Images with label maps of Hugging Face: OWNER/NAME on the Hub, or a copy in a folder",
        build=f"{_DATA}.hub:HubDataModule",
        detect=f"{_DATA}.tables.detecting:is_hub",
        homepage="https://huggingface.co/datasets",
    )
    yield DataSet(
        name="hub_images",
        summary="Images with classes of Hugging Face: OWNER/NAME on the Hub, or a copy in a folder",
        build=f"{_DATA}.hub_images:HubImagesDataModule",
        detect=f"{_DATA}.tables.detecting:is_hub_images",
        homepage="https://huggingface.co/datasets",
    )
    yield DataSet(
        name="digits",
        summary="1797 handwritten digits of 8 x 8 pixels, part of scikit-learn",
        build=f"{_DATA}.digits:DigitsDataModule",
        licence="CC BY 4.0",
    )
    yield DataSet(
        name="cifar10",
        summary="CIFAR-10: 10 classes, 50 000 train and 10 000 test images of 32 x 32",
        build=f"{_DATA}.cifar10:Cifar10DataModule",
        homepage="https://www.cs.toronto.edu/~kriz/cifar.html",
    )
    yield DataSet(
        name="cityscapes_patches",
        summary="Patches of Cityscapes with the class in their middle, for classification",
        build=f"{_DATA}.patches:CityscapesPatchesDataModule",
    )
    yield DataSet(
        name="streaming",
        summary="Images in shards, in a folder or behind a URL (foveate data shard)",
        build=f"{_DATA}.streaming:StreamingDataModule",
    )

"""The published segmentation data sets that come with Foveate, as the hook for data sets offers them."""

from __future__ import annotations

from foveate.plugins import DataSet

_DATA = "foveate.datasets"
_LAYOUTS = "foveate.datasets.layouts"

PUBLISHED = (
    DataSet(
        name="cityscapes",
        summary="Streets of 50 cities, 19 classes; 2975 train and 500 val images of 1024 x 2048",
        build=f"{_DATA}.cityscapes:CityscapesDataModule",
        detect=f"{_LAYOUTS}:is_cityscapes",
        paper="arXiv:1604.01685",
        homepage="https://www.cityscapes-dataset.com",
        licence="research only, after registration",
    ),
    DataSet(
        name="camvid",
        summary="Streets of Cambridge, 11 classes, as the SegNet tutorial gives it; 367 train and 101 val images",
        build=f"{_DATA}.camvid:CamVidDataModule",
        detect=f"{_LAYOUTS}:is_camvid",
        homepage="http://mi.eng.cam.ac.uk/research/projects/VideoRec/CamVid",
        licence="research",
    ),
    DataSet(
        name="ade20k",
        summary="Scenes of all kinds, 150 classes; 20 210 train and 2000 val images of any size",
        build=f"{_DATA}.ade20k:ADE20KDataModule",
        detect=f"{_LAYOUTS}:is_ade20k",
        paper="arXiv:1608.05442",
        homepage="http://sceneparsing.csail.mit.edu",
        licence="research and education",
    ),
    DataSet(
        name="voc2012",
        summary="Pascal VOC 2012, 21 classes; 1464 train (10 582 augmented) and 1449 val images",
        build=f"{_DATA}.voc2012:VOC2012DataModule",
        detect=f"{_LAYOUTS}:is_voc2012",
        homepage="http://host.robots.ox.ac.uk/pascal/VOC/voc2012",
        licence="images: Flickr's terms",
    ),
    DataSet(
        name="coco_stuff164k",
        summary="COCO-Stuff, 171 classes; 118 287 train and 5000 val images",
        build=f"{_DATA}.coco_stuff164k:COCOStuff164kDataModule",
        detect=f"{_LAYOUTS}:is_coco_stuff164k",
        paper="arXiv:1612.03716",
        homepage="https://github.com/nightrome/cocostuff",
        licence="annotations: CC BY 4.0; images: Flickr's terms",
    ),
    DataSet(
        name="loveda",
        summary="Land cover of urban and rural places, 7 classes; 2522 train and 1669 val images of 1024 x 1024",
        build=f"{_DATA}.loveda:LoveDADataModule",
        detect=f"{_LAYOUTS}:is_loveda",
        paper="arXiv:2110.08733",
        homepage="https://github.com/Junjue-Wang/LoveDA",
        licence="academic use",
    ),
    DataSet(
        name="potsdam",
        summary="ISPRS Potsdam from the air, 6 classes; 24 train and 14 test tiles of 6000 x 6000",
        build=f"{_DATA}.potsdam:PotsdamDataModule",
        detect=f"{_LAYOUTS}:is_potsdam",
        homepage="https://www.isprs.org/education/benchmarks/UrbanSemLab",
        licence="research, on request",
    ),
)

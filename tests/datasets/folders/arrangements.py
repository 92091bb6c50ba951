"""Arrangements of folders that people have: where an image and its mask lie, by split `s`, name `n` and class `c`."""

LAYOUTS = {
    "split below": ("images/{s}/{n}.jpg", "masks/{s}/{n}.png"),
    "split above": ("{s}/images/{n}.png", "{s}/labels/{n}.png"),
    "mmsegmentation": ("img_dir/{s}/{n}.jpg", "ann_dir/{s}/{n}.png"),
    "nested": ("images/{s}/city/day/{n}.jpg", "annotations/{s}/city/day/{n}.png"),
    "split within": ("images/city/{s}/{n}.jpg", "masks/city/{s}/{n}.png"),
    "words joined": ("{s}/{n}.png", "{s}annot/{n}.png"),
    "words with underscores": ("{s}_images/{n}.png", "{s}_masks/{n}.png"),
    "suffix": ("images/{s}/{n}_sat.jpg", "masks/{s}/{n}_mask.png"),
    "suffix of masks": ("images/{s}/{n}.jpg", "masks/{s}/{n}_segmentation.png"),
    "double ending": ("images/{s}/{n}.jpg", "masks/{s}/{n}.jpg.png"),
    "one folder, suffix": ("{s}/{n}.jpg", "{s}/{n}_mask.png"),
    "one folder, ending": ("{s}/{n}.jpg", "{s}/{n}.png"),
    "unknown mask folder": ("images/{s}/{n}.jpg", "painted/{s}/{n}.png"),
    "tif": ("Images/{s}/{n}.TIF", "Masks/{s}/{n}.tiff"),
    "arrays": ("images/{s}/{n}.npy", "masks/{s}/{n}.npy"),
}

PARTS = {
    "a folder for each image": "masks/{s}/{n}/{c}.png",
    "a folder for each class": "masks/{s}/{c}/{n}.png",
}

"""C++ that decodes PNG files, compiled at its first use; without a compiler OpenCV and Pillow read them."""

"""Files of images to resized arrays of native intensities; pure functions and the processes that contain them."""

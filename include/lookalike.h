// Lookalike for programs in C: a trained model in, the faces of a photo with their names out.
//
// Made by cbindgen of src/capi; examples/embed.c shows how to use it. All strings are UTF-8. A function that fails returns NULL, and
// lookalike_error says why. Any number of threads may use one recogniser at the same time; faces may be read by any thread, and are
// freed by one.

#ifndef LOOKALIKE_H
#define LOOKALIKE_H

#include <stddef.h>
#include <stdint.h>

// The faces of a photo.
typedef struct LookalikeFaces LookalikeFaces;

// A trained model on a device. Any number of threads may use one at the same time.
typedef struct LookalikeRecognizer LookalikeRecognizer;

// A face and who it shows. Its strings are UTF-8, and live as long as the faces they came with.
typedef struct LookalikeFace {
  // Left edge of the face's box, in pixels from the photo's left; may lie outside.
  float x;
  // Upper edge, in pixels from the photo's top; may lie outside.
  float y;
  // Width of the box in pixels.
  float width;
  // Height of the box in pixels.
  float height;
  // How sure the detector is that it is a face, in 0..=1.
  float score;
  // The most probable person; NULL for a face of nobody whom the model knows.
  const char *name;
  // The most probable person, never NULL.
  const char *nearest;
  // Probability of the most probable person, in 0..=1.
  float confidence;
  // How far the face is from the nearest person, in 0..=2; NaN if the model does not know strangers.
  float distance;
} LookalikeFace;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// Why the last call of this thread that failed did so: one line of UTF-8, empty if none has. It is good until another call of this
// thread fails.
const char *lookalike_error(void);

// How many faces there are; 0 for NULL.
//
// # Safety
// `faces` is NULL, or came from this library and was not freed.
size_t lookalike_faces_count(const struct LookalikeFaces *faces);

// The face at `index`, the surest is the first; it lives as long as `faces`. NULL if there is none.
//
// # Safety
// `faces` is NULL, or came from this library and was not freed.
const struct LookalikeFace *lookalike_faces_at(const struct LookalikeFaces *faces, size_t index);

// Frees faces and their strings. NULL is ignored.
//
// # Safety
// `faces` is NULL, or came from this library, and nobody uses it any more.
void lookalike_faces_free(struct LookalikeFaces *faces);

// The version of the library, as "1.2.3".
const char *lookalike_version(void);

// Opens the model file at the path `model`. `adapter` names the device, as "cpu", or as a part of a GPU's name; NULL takes the best.
// NULL is returned if that fails: lookalike_error says why. lookalike_close frees it.
//
// # Safety
// Both strings are NULL or end with a zero byte.
struct LookalikeRecognizer *lookalike_open(const char *model,
                                           const char *adapter);

// Closes a model. NULL is ignored.
//
// # Safety
// `recognizer` is NULL, or came from lookalike_open, and no thread uses it any more.
void lookalike_close(struct LookalikeRecognizer *recognizer);

// The faces of a photo in memory, decoded: red, green and blue, a byte each, rows from the top, each `stride` bytes behind the
// one above. NULL is returned if that fails: lookalike_error says why. lookalike_faces_free frees them.
//
// # Safety
// `recognizer` is open; at `pixels` are (height - 1) * stride + 3 * width bytes that nobody changes meanwhile.
struct LookalikeFaces *lookalike_recognize_rgb(const struct LookalikeRecognizer *recognizer,
                                               const uint8_t *pixels,
                                               size_t width,
                                               size_t height,
                                               size_t stride);

// The faces of a photo in a file, JPEG, PNG or WebP, turned as its EXIF orientation says. NULL is returned if that fails:
// lookalike_error says why. lookalike_faces_free frees them.
//
// # Safety
// `recognizer` is open; `path` ends with a zero byte.
struct LookalikeFaces *lookalike_recognize_file(const struct LookalikeRecognizer *recognizer,
                                                const char *path);

// The faces of a photo whose file is in memory, as lookalike_recognize_file.
//
// # Safety
// `recognizer` is open; at `bytes` are `length` bytes that nobody changes meanwhile.
struct LookalikeFaces *lookalike_recognize_bytes(const struct LookalikeRecognizer *recognizer,
                                                 const uint8_t *bytes,
                                                 size_t length);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* LOOKALIKE_H */

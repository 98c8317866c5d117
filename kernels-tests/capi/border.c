// What the header promises, from the side of C: each way to hand over a photo gives the same faces, threads share a recogniser, and
// nonsense is an error.
//
//   border MODEL PHOTO.png PIXELS WIDTH HEIGHT       PIXELS: the photo's, with a stride of 3 * WIDTH + 5
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lookalike.h"

#define CHECK(condition) \
    if (!(condition)) { \
        fprintf(stderr, "line %d: %s; the last error: %s\n", __LINE__, #condition, lookalike_error()); \
        exit(1); \
    }

struct bytes {
    uint8_t *at;
    size_t length;
};

static struct bytes read_file(const char *path) {
    FILE *file = fopen(path, "rb");
    CHECK(file);
    fseek(file, 0, SEEK_END);
    struct bytes bytes = {NULL, (size_t)ftell(file)};
    rewind(file);
    bytes.at = malloc(bytes.length);
    CHECK(bytes.at && fread(bytes.at, 1, bytes.length, file) == bytes.length);
    fclose(file);
    return bytes;
}

static int is_same(const LookalikeFaces *left, const LookalikeFaces *right) {
    if (!left || !right || lookalike_faces_count(left) != lookalike_faces_count(right)) return 0;
    for (size_t i = 0; i < lookalike_faces_count(left); i++) {
        const LookalikeFace *a = lookalike_faces_at(left, i), *b = lookalike_faces_at(right, i);
        if (a->x != b->x || a->y != b->y || a->width != b->width || a->height != b->height || a->score != b->score) return 0;
        if (a->confidence != b->confidence || !a->name != !b->name || strcmp(a->nearest, b->nearest)) return 0;
    }
    return 1;
}

static void refused(LookalikeFaces *faces, const char *why) {
    CHECK(faces == NULL);
    CHECK(strstr(lookalike_error(), why));
}

struct task {
    const LookalikeRecognizer *recognizer;
    const char *photo;
    const LookalikeFaces *expected;
};

static void *of_thread(void *given) {
    const struct task *task = given;
    CHECK(lookalike_error()[0] == 0); // another thread's errors are its own
    for (int i = 0; i < 3; i++) {
        LookalikeFaces *faces = lookalike_recognize_file(task->recognizer, task->photo);
        CHECK(is_same(faces, task->expected));
        lookalike_faces_free(faces);
    }
    return NULL;
}

int main(int argc, char **argv) {
    CHECK(argc == 6);
    const char *model = argv[1], *photo = argv[2];
    const struct bytes file = read_file(photo), pixels = read_file(argv[3]);
    const size_t width = strtoul(argv[4], NULL, 10), height = strtoul(argv[5], NULL, 10), stride = 3 * width + 5;
    CHECK(strchr(lookalike_version(), '.'));
    CHECK(lookalike_error()[0] == 0);

    LookalikeRecognizer *recognizer = lookalike_open(model, "cpu");
    CHECK(recognizer);
    LookalikeFaces *faces = lookalike_recognize_file(recognizer, photo);
    CHECK(faces && lookalike_faces_count(faces) == 1);
    const LookalikeFace *face = lookalike_faces_at(faces, 0);
    CHECK(face->score > 0.5f && face->width > 20 && face->confidence > 0.5f && face->confidence <= 1);
    CHECK(face->name && !strcmp(face->name, face->nearest));
    CHECK(face->distance != face->distance); // the model does not know strangers
    LookalikeFaces *others[] = {
        lookalike_recognize_bytes(recognizer, file.at, file.length),
        lookalike_recognize_rgb(recognizer, pixels.at, width, height, stride),
    };
    CHECK(is_same(others[0], faces) && is_same(others[1], faces));
    lookalike_faces_free(others[0]);
    lookalike_faces_free(others[1]);

    struct task task = {recognizer, photo, faces};
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) CHECK(!pthread_create(&threads[i], NULL, of_thread, &task));
    for (int i = 0; i < 4; i++) CHECK(!pthread_join(threads[i], NULL));

    CHECK(!lookalike_open(NULL, NULL) && strstr(lookalike_error(), "model is NULL"));
    CHECK(!lookalike_open("no such file", "cpu") && strstr(lookalike_error(), "no such file"));
    CHECK(!lookalike_open("\xff\xfe", "cpu") && strstr(lookalike_error(), "UTF-8"));
    CHECK(!lookalike_open(model, "no such adapter") && strstr(lookalike_error(), "no such adapter"));
    CHECK(!lookalike_open(photo, "cpu"));
    refused(lookalike_recognize_file(NULL, photo), "recognizer is NULL");
    refused(lookalike_recognize_file(recognizer, NULL), "path is NULL");
    refused(lookalike_recognize_file(recognizer, model), model);
    refused(lookalike_recognize_bytes(recognizer, NULL, 10), "bytes");
    refused(lookalike_recognize_bytes(recognizer, file.at, file.length / 2), "photo");
    refused(lookalike_recognize_bytes(recognizer, file.at, SIZE_MAX), "bytes");
    refused(lookalike_recognize_rgb(recognizer, NULL, width, height, stride), "pixels");
    refused(lookalike_recognize_rgb(recognizer, pixels.at, 0, height, stride), "pixels");
    refused(lookalike_recognize_rgb(recognizer, pixels.at, width, 0, stride), "pixels");
    refused(lookalike_recognize_rgb(recognizer, pixels.at, width, height, 3 * width - 1), "rows");
    refused(lookalike_recognize_rgb(recognizer, pixels.at, SIZE_MAX, SIZE_MAX, SIZE_MAX), "rows");
    refused(lookalike_recognize_rgb(recognizer, pixels.at, width, height, SIZE_MAX), "rows");
    CHECK(lookalike_faces_count(NULL) == 0);
    CHECK(!lookalike_faces_at(faces, 1) && strstr(lookalike_error(), "no face 1 of 1"));
    CHECK(!lookalike_faces_at(NULL, 0));

    lookalike_faces_free(faces);
    lookalike_faces_free(NULL);
    lookalike_close(recognizer);
    lookalike_close(NULL);
    free(file.at);
    free(pixels.at);
    puts("ok");
    return 0;
}

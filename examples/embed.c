// Who is on a photo, from C. From the folder of the project:
//
//   cargo rustc --release --lib --no-default-features --features capi --crate-type cdylib
//   cc examples/embed.c -Iinclude -Ltarget/release -llookalike -o embed
//   LD_LIBRARY_PATH=target/release ./embed MODEL PHOTO
#include <stdio.h>

#include "lookalike.h"

int main(int argc, char **argv) {
    if (argc != 3) {
        fprintf(stderr, "usage: %s MODEL PHOTO\n", argv[0]);
        return 2;
    }
    LookalikeRecognizer *recognizer = lookalike_open(argv[1], NULL);
    LookalikeFaces *faces = recognizer ? lookalike_recognize_file(recognizer, argv[2]) : NULL;
    if (!faces) {
        fprintf(stderr, "%s\n", lookalike_error());
        lookalike_close(recognizer);
        return 1;
    }
    for (size_t i = 0; i < lookalike_faces_count(faces); i++) {
        const LookalikeFace *face = lookalike_faces_at(faces, i);
        const char *name = face->name ? face->name : "unknown";
        printf("%s (nearest %s, %.1f %%)", name, face->nearest, 100 * face->confidence);
        printf(" at (%.1f, %.1f), %.1f x %.1f\n", face->x, face->y, face->width, face->height);
    }
    lookalike_faces_free(faces);
    lookalike_close(recognizer);
    return 0;
}

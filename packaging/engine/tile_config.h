// GCC 11 and 12 declare that ldtilecfg reads only the first eight bytes of its operand, so the optimizer drops the
// stores that fill the other 56, and the first AMX multiplication dies with a garbage tile configuration.
// This header is forced into every C++ file of the engine; where AMX tiles are enabled it replaces the intrinsic by
// one whose memory operand is the whole 64-byte configuration (Intel SDM, LDTILECFG).
#if defined(__cplusplus) && defined(__AMX_TILE__) && defined(__GNUC__) && !defined(__clang__)
#include <immintrin.h>

struct __attribute__((may_alias)) edgeinfer_tile_config {
    unsigned char bytes[64];
};

static inline __attribute__((always_inline)) void edgeinfer_tile_loadconfig(const void *config) {
    __asm__ volatile("ldtilecfg\t%X0" : : "m"(*static_cast<const edgeinfer_tile_config *>(config)));
}

#define _tile_loadconfig edgeinfer_tile_loadconfig
#endif

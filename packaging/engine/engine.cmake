# How edgeinfer builds llama.cpp inside llama-cpp-python: every flag lives here.
# Read by CMake right after llama-cpp-python's own project() call.

# One library a CPU variant, chosen when edgeinfer starts (edgeinfer/engine/native.py).
set(GGML_NATIVE OFF CACHE BOOL "" FORCE)
set(GGML_BACKEND_DL ON CACHE BOOL "" FORCE)
set(GGML_CPU_ALL_VARIANTS ON CACHE BOOL "" FORCE)

# Everything beside libllama.so: by default the variants land in site-packages/bin and a second copy in lib.
set(CMAKE_INSTALL_BINDIR llama_cpp/lib CACHE PATH "" FORCE)
set(CMAKE_INSTALL_LIBDIR llama_cpp/lib CACHE PATH "" FORCE)
set(CMAKE_INSTALL_INCLUDEDIR llama_cpp/include CACHE PATH "" FORCE)

# Compilers that do not know ARM's SME cannot build all ARM variants: build for this CPU alone.
if (CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64|ARM64)$" AND NOT APPLE)
    include(CheckCXXCompilerFlag)
    check_cxx_compiler_flag("-march=armv8.2-a+sme" EDGEINFER_COMPILER_KNOWS_SME)
    if (NOT EDGEINFER_COMPILER_KNOWS_SME)
        message(WARNING "This compiler is too old for all ARM variants: the engine is built for this CPU only.")
        set(GGML_NATIVE ON CACHE BOOL "" FORCE)
        set(GGML_CPU_ALL_VARIANTS OFF CACHE BOOL "" FORCE)
    endif()
endif()

# Accelerator: EDGEINFER_ACCEL=cuda, vulkan or rocm; macOS takes Metal by itself.
set(EDGEINFER_ACCEL "$ENV{EDGEINFER_ACCEL}")
if (EDGEINFER_ACCEL STREQUAL "cuda")
    set(GGML_CUDA ON CACHE BOOL "" FORCE)
elseif (EDGEINFER_ACCEL STREQUAL "vulkan")
    set(GGML_VULKAN ON CACHE BOOL "" FORCE)
elseif (EDGEINFER_ACCEL STREQUAL "rocm")
    set(GGML_HIP ON CACHE BOOL "" FORCE)
elseif (NOT EDGEINFER_ACCEL STREQUAL "" AND NOT EDGEINFER_ACCEL STREQUAL "none")
    message(FATAL_ERROR "EDGEINFER_ACCEL=${EDGEINFER_ACCEL} is unknown: use cuda, vulkan, rocm or none.")
endif()

# Left out because edgeinfer has no use for it: programs, tests, networking, the vision library, the C++ helper
# library (llama-cpp-python forces it on in the cache; a plain variable of the same name takes precedence).
foreach (part TESTS TOOLS EXAMPLES SERVER APP UI)
    set(LLAMA_BUILD_${part} OFF CACHE BOOL "" FORCE)
endforeach()
set(LLAMA_BUILD_COMMON OFF)
set(LLAMA_OPENSSL OFF CACHE BOOL "" FORCE)
set(LLAVA_BUILD OFF CACHE BOOL "" FORCE)

# GCC 11 and 12 drop the stores to the AMX tile configuration; see the header.
if (CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_compile_options("$<$<COMPILE_LANGUAGE:CXX>:SHELL:-include \"${CMAKE_CURRENT_LIST_DIR}/tile_config.h\">")
endif()

# Warnings about llama.cpp's own code help nobody here and make 14 of the log's 15 MB.
if (CMAKE_CXX_COMPILER_ID MATCHES "GNU|Clang")
    add_compile_options("$<$<COMPILE_LANGUAGE:C,CXX>:-w>")
endif()

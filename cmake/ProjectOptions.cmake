# One target carries what every target of ours is built with.
option(QUELL_WERROR "Warnings are errors" ON)
set(QUELL_SANITIZE "" CACHE STRING "For example address,undefined")

add_library(project_options INTERFACE)
target_compile_features(project_options INTERFACE c_std_11)
target_compile_definitions(project_options INTERFACE _GNU_SOURCE)
target_include_directories(project_options INTERFACE "${PROJECT_SOURCE_DIR}" "${PROJECT_BINARY_DIR}")
target_compile_options(project_options INTERFACE
  -UNDEBUG                      # assertions stay on in every build
  -fstack-protector-strong
  -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes
  -Wswitch-enum -Wformat=2 -Wvla -Wundef -Woverride-init
  $<$<BOOL:${QUELL_WERROR}>:-Werror>)
if(QUELL_SANITIZE)
  # recover would let a finding pass as success
  target_compile_options(project_options INTERFACE
    -fsanitize=${QUELL_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(project_options INTERFACE -fsanitize=${QUELL_SANITIZE})
endif()

# quell_library(NAME SOURCES ... LINKS ... PRIVATE_LINKS ...) : a static library with one face.
function(quell_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINKS;PRIVATE_LINKS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC project_options ${ARG_LINKS} PRIVATE ${ARG_PRIVATE_LINKS})
endfunction()

# quell_program(NAME SOURCES ... LINKS ...) : one of the four programs, in bin/.
function(quell_program name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINKS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE project_options ${ARG_LINKS})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
endfunction()

# cmake --install: the programs, and what a scheduler needs to link libquell.
set(libexec "${CMAKE_INSTALL_LIBEXECDIR}/quell") # quelld looks there (QUELL_LIBEXEC_DIR)
install(TARGETS quell-head quelld quellctl RUNTIME)
# By its path: of the two builds of it, one is not a target of this tree.
install(PROGRAMS "${PROJECT_BINARY_DIR}/bin/quell-supervisor" DESTINATION "${libexec}")

install(TARGETS quell_shared LIBRARY)
install(FILES "${PROJECT_BINARY_DIR}/lib/libquell.a" DESTINATION "${CMAKE_INSTALL_LIBDIR}")
# Where they are in the tree: they include one another by these paths.
foreach(header libquell/quell.h ipc/task.h base/err.h)
  get_filename_component(folder "${header}" DIRECTORY)
  install(FILES "${header}" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/quell/${folder}")
endforeach()

# Found from where it lies, so that it is right also below another prefix or DESTDIR.
set(pc_dir "${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig")
file(RELATIVE_PATH pc_to_prefix "${pc_dir}" "${CMAKE_INSTALL_PREFIX}")
configure_file(libquell/quell.pc.in quell.pc @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/quell.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")

# http/ and ctl/
pkg_check_modules(LIBEVENT_HTTPCTL REQUIRED IMPORTED_TARGET libevent_core)

quell_test(test_http_uri unit unit/test_http_uri.c http)
quell_test(test_http_socket unit unit/test_http_socket.c http)
quell_test(test_http_server unit unit/test_http_server.c http PkgConfig::LIBEVENT_HTTPCTL)
quell_test(test_http_limits unit unit/test_http_limits.c http PkgConfig::LIBEVENT_HTTPCTL)
quell_test(test_ctl_args unit unit/test_ctl_args.c ctl_core)
quell_test(test_ctl_view unit unit/test_ctl_view.c ctl_core)
quell_test(test_ctl_program unit unit/test_ctl_program.c http PkgConfig::LIBEVENT_HTTPCTL)
target_compile_definitions(test_ctl_program PRIVATE QUELLCTL="$<TARGET_FILE:quellctl>")
add_dependencies(test_ctl_program quellctl)

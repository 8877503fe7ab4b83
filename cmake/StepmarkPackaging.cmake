set(CPACK_GENERATOR TGZ)
set(CPACK_PACKAGE_VENDOR stepmark)
include(CPack)

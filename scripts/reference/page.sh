#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# How large the page of 20 runs is, and how soon it answers in headless Chromium, as JSON.
#
# usage: scripts/reference/page.sh [BUILD [TIMES]]   (default: build/host-release, 11)
#
# The page is the browser test's: 20 runs of four providers with 150 collectives each at 200 samples, kernels, steps
# with timelines, and a history of 30 nights. A time is from the begin of the navigation until a click has
# opened something and the frame with it was drawn; each in a fresh context of one browser.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
build=${1:-build/host-release}
pages=$(mktemp -d)
trap 'rm -rf "$pages"' EXIT
"$build/tests/browser/stepmark_make_reports" "$pages"
node tests/browser/interactive.mjs "$pages/twenty.html" "${2:-11}"

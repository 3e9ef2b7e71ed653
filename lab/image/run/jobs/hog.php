<?php
// hog.php NAME MIB MIB_PER_STEP STEP_MS HOLD_S: a job that takes memory step by step, holds it, and is done.
// NAME.started and NAME.finished in /run/lab/jobs tell the director what became of it.
[, $name, $mib, $step, $ms, $hold] = $argv;
touch("/run/lab/jobs/$name.started");
$rows = [];
for ($taken = 0; $taken < $mib; $taken += $step) {
    $rows[] = str_repeat(chr(65 + $taken % 26), $step << 20);
    usleep($ms * 1000);
}
sleep((int) $hold);
touch("/run/lab/jobs/$name.finished");

<?php
// A page that resizes a picture in memory: 60 MiB for two seconds.
$picture = [];
for ($mib = 0; $mib < 60; $mib += 4) {
    $picture[] = str_repeat(chr(65 + $mib % 26), 4 << 20);
    usleep(20_000);
}
sleep(2);
echo 'ok ', count($picture), "\n";

<?php
// locks.php NAME: a job of 160 MiB that again and again holds the shop's table for 30 ms, as imports and reindexers do.
// Whoever stops it inside its lock stops the shop.
[, $name] = $argv;
touch("/run/lab/jobs/$name.started");
$database = new mysqli('localhost', 'shop', 'shop', 'shop');
$lock = function (int $pause_us) use ($database): void {
    $database->query('LOCK TABLES t WRITE');
    usleep(30_000);
    $database->query('UNLOCK TABLES');
    usleep($pause_us);
};
$rows = [];
for ($taken = 0; $taken < 160; $taken += 4) {
    $rows[] = str_repeat('x', 4 << 20);
    $lock(70_000);
}
for ($i = 0; $i < 24; $i++) {
    $lock(470_000);
}
touch("/run/lab/jobs/$name.finished");

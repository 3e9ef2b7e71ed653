<?php
// import.php NAME MIB HOLD_S: an import as shops have them: one long transaction, memory that grows with the file, and
// work lost when it is ended. It cannot be paused: it would hold its locks. NAME.finished tells that it got through.
[, $name, $mib, $hold] = $argv;
touch("/run/lab/jobs/$name.started");
$database = new mysqli('localhost', 'shop', 'shop', 'shop');
$database->begin_transaction();
$database->query('INSERT INTO import (v) VALUES (1)');
$rows = [];
for ($taken = 0; $taken < $mib; $taken += 4) {
    $rows[] = str_repeat('x', 4 << 20);
    usleep(60_000);
}
for ($i = 0; $i < $hold; $i++) {
    $database->query('INSERT INTO import (v) VALUES (1)');
    sleep(1);
}
$database->commit();
touch("/run/lab/jobs/$name.finished");
echo "$name imported\n";

// Files, all of it under one header: finding them, reading them, writing them, here and on HDFS.
//
//   for (const std::string& path : io::list_files("data/*.csv.gz")) {
//     const io::FileIdentity as_it_was = io::identify(path);
//     std::string text = io::read_file_decompressed(path);
//   }
//   io::AtomicFile out("runs/digits/1/model.safetensors");
//   out.write(bytes);
//   out.commit();                       // now it is there, whole; without commit it never is
#pragma once

#include "superstep/io/file_system.h"  // exists, is_folder, names_in, remove; HDFS
#include "superstep/io/path.h"         // list_files, identify, check_unchanged, local_path
#include "superstep/io/stream.h"       // read_file, read_file_decompressed, open_stream
#include "superstep/io/write.h"        // AtomicFile, AppendFile, create_exclusive, make_folder

# Made by 'compress generate completion'; do not edit by hand.
_compress() {
  local word="${COMP_WORDS[COMP_CWORD]}" previous="${COMP_WORDS[COMP_CWORD - 1]}" flags="" words=""
  if [ "$COMP_CWORD" -eq 1 ]; then
    mapfile -t COMPREPLY < <(compgen -W "inspect optimize quantize prune calibrate evaluate compare expand analyze sweep report passes --help --version" -- "$word")
    return
  fi
  case "${COMP_WORDS[1]}" in
    inspect) flags="--per-layer --json -q --quiet -v --verbose -h --help" ;;
    optimize) flags="-o --output -f --force -n --dry-run --json --stamp --explain --threads --recipe --fuse --no-fuse --prune --sparsity --quantize --recover --calibration --limit --preprocess --labels --seed --batch --skip-corrupt --no-skip-corrupt --resize --crop --interpolation --scale --mean --std --channels --layout --scope --structure --round-to --macs --prune-biases --no-prune-biases --weight-bits --activations --per-channel --no-per-channel --format --block-size --requantize --no-requantize --max-drop --min-agreement --observer --percentile --calibration-table --keep-io --no-keep-io --operators --keep-ends --no-keep-ends --cluster --store --max-load-ms --strip --no-strip --fix-dim --input-shape --freeze-initializers --no-freeze-initializers --inline-functions --no-inline-functions --opset --target --include --exclude --disable-pass --only-pass -q --quiet -v --verbose -h --help" ;;
    quantize) flags="-o --output -f --force -n --dry-run --json --stamp --explain --threads --type --recover --calibration --limit --preprocess --labels --seed --batch --skip-corrupt --no-skip-corrupt --resize --crop --interpolation --scale --mean --std --channels --layout --weight-bits --activations --per-channel --no-per-channel --format --block-size --requantize --no-requantize --max-drop --min-agreement --observer --percentile --calibration-table --keep-io --no-keep-io --operators --keep-ends --no-keep-ends --target --fuse --no-fuse --store --max-load-ms --strip --no-strip --include --exclude --disable-pass --only-pass -q --quiet -v --verbose -h --help" ;;
    prune) flags="-o --output -f --force -n --dry-run --json --stamp --explain --threads --method --sparsity --recover --calibration --limit --preprocess --labels --seed --batch --skip-corrupt --no-skip-corrupt --resize --crop --interpolation --scale --mean --std --channels --layout --scope --structure --round-to --macs --biases --no-biases --store --strip --no-strip --include --exclude --disable-pass --only-pass -q --quiet -v --verbose -h --help" ;;
    calibrate) flags="-o --output --merge --shard --force --images --limit --preprocess --labels --seed --batch --skip-corrupt --no-skip-corrupt --resize --crop --interpolation --scale --mean --std --channels --layout --include --exclude --disable-pass --only-pass --threads -q --quiet -v --verbose -h --help" ;;
    evaluate) flags="--images --json --limit --preprocess --labels --seed --batch --skip-corrupt --no-skip-corrupt --resize --crop --interpolation --scale --mean --std --channels --layout --threads --csv --markdown --junit --per-class --confusion --timing --no-timing --profile --packed --no-packed --warm-up --rounds --engine --ort-library --min-top1 --min-top5 --max-drop --min-agreement --min-sqnr --max-size --max-size-ratio --max-latency --max-latency-ratio -q --quiet -v --verbose -h --help" ;;
    compare) flags="--images --json --limit --preprocess --labels --seed --batch --skip-corrupt --no-skip-corrupt --resize --crop --interpolation --scale --mean --std --channels --layout --threads -q --quiet -v --verbose -h --help" ;;
    expand) flags="-o --output -f --force -n --dry-run -q --quiet -v --verbose -h --help" ;;
    analyze) flags="--recipe --worst --images --json --svg --limit --preprocess --labels --seed --batch --skip-corrupt --no-skip-corrupt --resize --crop --interpolation --scale --mean --std --channels --layout --threads -q --quiet -v --verbose -h --help" ;;
    sweep) flags="--spec -o --output --images --limit -j --jobs --timing --no-timing --retry --shard --emit --shards --engine --ort-library --threads -q --quiet -v --verbose -h --help" ;;
    report) flags="--svg -q --quiet -v --verbose -h --help" ;;
    passes) flags="--markdown -q --quiet -v --verbose -h --help" ;;
  esac
  case "$previous" in
    --prune) words="magnitude none" ;;
    --scope) words="global local" ;;
    --quantize | --type) words="int8 fp16" ;;
    --activations) words="uint8 int8" ;;
    --observer) words="min-max percentile" ;;
    --interpolation) words="nearest bilinear bicubic" ;;
    --channels) words="rgb bgr grey rgba" ;;
    --layout) words="nchw nhwc" ;;
    --preprocess) words="imagenet imagenet-tf cifar10 fashion-mnist none" ;;
    --disable-pass | --only-pass) words="$("${COMP_WORDS[0]}" passes 2>/dev/null | awk 'NR > 2 {print $1}')" ;;
  esac
  if [ -n "$words" ]; then
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
  elif [[ "$word" == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$flags" -- "$word")
  else
    compopt -o filenames
    mapfile -t COMPREPLY < <(compgen -f -- "$word")
  fi
}
complete -F _compress compress

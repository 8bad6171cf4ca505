#!/usr/bin/env bash
# The demo programme: what a broadcaster's encoder would send, made by ffmpeg. Used by `make run` and by the tests.
#
#   demo/programme.sh TARGET [WIDTHxHEIGHT] [KILOBITS] [MORE FFMPEG OUTPUT OPTIONS...]
#
# TARGET is an rtmp:// address with the stream key at its end, or a file. H.264 without delay, a keyframe each
# second, and AAC at 48 kHz with a soft chime each second.
#
# Along the top edge runs a clock that a program can read off the picture: sixteen cells, the highest bit first, each
# black (0) or white (1), hold the wall time in units of 10 ms modulo 65536, in Gray code (neighbouring times
# differ in one cell, so a frame stamped while the clock ticks still reads as one of the two).
#
# Environment: FFMPEG (program), FPS (25), LENGTH (seconds; endless if not set), CLOCK (an ffmpeg expression for
# the stamped time in seconds, time(0) if not set: a file with a known clock is made with CLOCK=1000+t).
set -euo pipefail

target=${1:?usage: programme.sh TARGET [WIDTHxHEIGHT] [KILOBITS] [FFMPEG OPTIONS...]}
size=${2:-1280x720}
kilobits=${3:-1500}
shift $(($# < 3 ? $# : 3))
ffmpeg=${FFMPEG:-ffmpeg}
fps=${FPS:-25}
clock=${CLOCK:-time(0)}

# One drawbox a cell. Bit i of the Gray code of n is floor((n + 2^i) / 2^(i+1)) mod 2.
clock_strip() {
  local strip="drawbox=x=0:y=0:w=iw:h=ih/12:color=black:t=fill" bit half
  for bit in {15..0}; do
    half=$((1 << bit))
    strip+=",drawbox=x=iw*$((15 - bit))/16:y=0:w=iw/16:h=ih/12:color=white:t=fill"
    strip+=":enable='mod(floor((mod(floor(($clock)*100),65536)+$half)/$((half * 2))),2)'"
  done
  echo "$strip"
}

# The time for people, when there is a font to write it with.
wall_clock_text() {
  local filters font
  filters=$("$ffmpeg" -hide_banner -filters 2>/dev/null)
  [[ $filters == *" drawtext "* ]] || return 0
  for font in /usr/share/fonts/truetype/dejavu/DejaVuSans-Bold.ttf "$(fc-match -f '%{file}' sans:bold 2>/dev/null || true)"; do
    [[ -r $font ]] || continue
    printf ",drawtext=fontfile=%s:fontcolor=white:x=(w-tw)/2" "$font"
    printf ":fontsize=h/5:y=(h-th)/2:text='%%{localtime\\:%%T}'"
    printf ",drawtext=fontfile=%s:fontcolor=white@0.8:x=(w-tw)/2:fontsize=h/16:y=h*0.66:text='swarmcast demo'" "$font"
    return 0
  done
}

picture="gradients=s=$size:r=$fps:c0=0x0b1d3a:c1=0x14606b:c2=0x4b2a6b:nb_colors=3:x0=0:y0=0:x1=${size%x*}:y1=${size#*x}:speed=0.02"
ball="color=c=0xf2c14e:s=$((${size%x*} / 32))x$((${size%x*} / 32)):r=$fps"
filters="[0:v][1:v]overlay=x='(W-w)*(0.5+0.45*sin(t*1.3))':y='H*0.86-H*0.1*abs(sin(t*3.1))':shortest=1"
filters+=",noise=c0s=7:c0f=t$(wall_clock_text),$(clock_strip),format=yuv420p[picture]"
sound="aevalsrc='0.25*sin(2*PI*660*t)*exp(-9*mod(t,1))+0.02*sin(2*PI*165*t)':s=48000:c=stereo"
[[ $target == rtmp* ]] && pace=(-re) container=(-f flv -flvflags no_duration_filesize) || pace=() container=(-y)

exec "$ffmpeg" -nostdin -hide_banner -loglevel warning \
  "${pace[@]}" -f lavfi -i "$picture" "${pace[@]}" -f lavfi -i "$ball" "${pace[@]}" -f lavfi -i "$sound" \
  -filter_complex "$filters" -map '[picture]' -map 2:a ${LENGTH:+-t "$LENGTH"} \
  -c:v libx264 -preset superfast -tune zerolatency -profile:v main -g "$fps" -keyint_min "$fps" -sc_threshold 0 \
  -b:v "${kilobits}k" -maxrate "${kilobits}k" -bufsize "$((kilobits / 2))k" \
  -c:a aac -ar 48000 -b:a 96k "$@" "${container[@]}" "$target"

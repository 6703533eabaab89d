using BenchmarkDotNet.Running;
using Weir.Benchmarks;

BenchmarkSwitcher.FromAssembly(typeof(LogBenchmarks).Assembly).Run(args);

using System.Diagnostics;
using System.Globalization;
using Weir.Protocol.Fuzz;
using Weir.Protocol.Fuzz.Sockets;

var inputs = long.Parse(Option("--inputs") ?? "1000000", CultureInfo.InvariantCulture);
var seed = ulong.Parse(Option("--seed") ?? $"{Random.Shared.NextInt64()}", CultureInfo.InvariantCulture);
var stopwatch = Stopwatch.StartNew();
if (Option("--socket") is { } address)
{
    var fault = await SocketFuzzer.RunAsync(address, seed, inputs);
    Console.WriteLine(
        $"{inputs:N0} inputs from seed {seed} to {address} in {stopwatch.Elapsed.TotalSeconds:F1} s: "
            + (fault ?? "it still answers a hello"));
    return fault is null ? 0 : 1;
}

FuzzReport[] reports = Option("--hex") is { } hex
    ? [new Fuzzer().Replay(Option("--target") ?? throw new ArgumentException("--hex needs --target"), Convert.FromHexString(hex))]
    : await RunAsync();
var worst = reports.MaxBy(static report => report.WorstShare)!;
Console.WriteLine(
    $"{reports.Sum(static report => report.Inputs):N0} inputs from seed {seed} in {stopwatch.Elapsed.TotalSeconds:F1} s, "
        + $"{reports.Sum(static report => report.Refused):N0} refusals");
Console.WriteLine($"largest share of the allowance: {worst.WorstShare:P1}: {worst.Worst}");
if (reports.FirstOrDefault(static report => report.Failure is not null)?.Failure is not { } failure)
{
    Console.WriteLine("no exception but protocol errors, no allocation over the allowance");
    return 0;
}

Console.WriteLine($"FAILED: {failure}");
return 1;

Task<FuzzReport[]> RunAsync()
{
    var threads = inputs < 10_000 ? 1 : Math.Min(2, Environment.ProcessorCount);
    var share = inputs / threads;
    return Task.WhenAll(Enumerable.Range(0, threads).Select(thread => Task.Run(() => new Fuzzer().Run(
        seed + (ulong)(thread * share), thread == threads - 1 ? inputs - (thread * share) : share))));
}

string? Option(string name)
{
    var index = Array.IndexOf(args, name);
    return index >= 0 && index + 1 < args.Length ? args[index + 1] : null;
}

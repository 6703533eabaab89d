using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using Weir.Groups;
using Weir.Protocol.Messages;
using Weir.Simulation;
using Weir.Simulation.Exhaustive;
using Weir.Simulation.Groups;

var first = (ulong)(Read("--seed") ?? Random.Shared.NextInt64(long.MaxValue / 2));
var minutes = Read("--minutes") ?? 5;
var bug = Name("--bug") is { } name ? Enum.Parse<SeededBug>(name, ignoreCase: true) : SeededBug.None;
if (Name("--search") is { } subject)
{
    var defaults = new SearchOptions { Subject = Enum.Parse<SearchSubject>(subject, ignoreCase: true), Bug = bug };
    var search = defaults with
    {
        Depth = (int)(Read("--depth") ?? defaults.Depth),
        Faults = (int)(Read("--faults") ?? defaults.Faults),
        Records = (int)(Read("--records") ?? defaults.Records),
        Epochs = (int)(Read("--epochs") ?? defaults.Epochs),
        Threads = (int)(Read("--threads") ?? defaults.Threads),
        MaxStates = (int)(Read("--states") ?? defaults.MaxStates),
        Prefix = SearchCommand.Split(Name("--prefix") ?? string.Empty),
        MaxTime = Read("--seconds") is { } most ? TimeSpan.FromSeconds(most) : TimeSpan.MaxValue,
    };
    return SearchCommand.Run(search, Name("--choices"));
}

if (Array.IndexOf(args, "--groups") >= 0)
{
    return GroupCommand.Run(
        first, Read("--seeds") ?? 100, Name("--mode") is { } mode ? Enum.Parse<GroupMode>(mode, ignoreCase: true) : null,
        Name("--omit") is { } rule ? Enum.Parse<OmittedGroupRules>(rule, ignoreCase: true) : OmittedGroupRules.None,
        (int)(Read("--threads") ?? Environment.ProcessorCount));
}

var only = Name("--faults") is { } kinds ? Enum.Parse<FaultKinds>(kinds, ignoreCase: true) : (FaultKinds?)null;
if (Array.IndexOf(args, "--trace") >= 0)
{
    return Print(new SimulationRun(Options(first) with { Log = Console.WriteLine }).Run());
}

var seeds = Read("--seeds") ?? long.MaxValue;
var deadline = Read("--seconds") is { } seconds ? TimeSpan.FromSeconds(seconds) : TimeSpan.MaxValue;
var threads = (int)(Read("--threads") ?? Environment.ProcessorCount);
var twice = Array.IndexOf(args, "--twice") >= 0;
var stopwatch = Stopwatch.StartNew();
var failures = new ConcurrentQueue<RunResult>();
long next = 0, done = 0, simulatedMs = 0, events = 0, acknowledged = 0, faults = 0, elections = 0;
var workers = Enumerable.Range(0, threads).Select(_ => new Thread(Work)).ToList();
workers.ForEach(static worker => worker.Start());
workers.ForEach(static worker => worker.Join());
var elapsed = stopwatch.Elapsed.TotalSeconds;
Console.WriteLine(string.Create(
    CultureInfo.InvariantCulture,
    $"{done} seeds from {first}, {simulatedMs / 60000.0:F0} simulated minutes in {elapsed:F1} s: {simulatedMs / 1000.0 / elapsed:F0} times real time"));
Console.WriteLine($"  {events} events, {acknowledged} records acknowledged, {faults} faults, {elections} elections");
foreach (var failure in failures.Take(10))
{
    Print(failure);
}

Console.WriteLine(failures.IsEmpty ? "no violation" : $"{failures.Count} seeds with violations");
return failures.IsEmpty ? 0 : 1;

void Work()
{
    while (stopwatch.Elapsed < deadline && failures.Count < 10)
    {
        var index = Interlocked.Increment(ref next) - 1;
        if (index >= seeds)
        {
            return;
        }

        var result = new SimulationRun(Options(first + (ulong)index)).Run();
        if (twice && result.Violation is null && new SimulationRun(Options(result.Seed)).Run().TraceHash != result.TraceHash)
        {
            result = result with { Violation = "Determinism: the same seed gave another history" };
        }

        Interlocked.Increment(ref done);
        Interlocked.Add(ref simulatedMs, result.SimulatedMs);
        Interlocked.Add(ref events, result.Events);
        Interlocked.Add(ref acknowledged, result.Acknowledged);
        Interlocked.Add(ref elections, result.Elections);
        Interlocked.Add(ref faults, result.Faults.Values.Sum());
        if (result.Violation is not null)
        {
            failures.Enqueue(result);
        }
    }
}

RunOptions Options(ulong seed) => new() { Seed = seed, Duration = TimeSpan.FromMinutes(minutes), Bug = bug, Faults = only };

int Print(RunResult result)
{
    Console.WriteLine(result.Violation is null ? $"seed {result.Seed}: no violation" : $"seed {result.Seed}: {result.Violation}");
    if (result.Violation is not null)
    {
        var more = bug == SeededBug.None ? string.Empty : $" --bug {bug}";
        Console.WriteLine(
            $"  replay: dotnet run -c Release --project tests/Weir.Simulation -- --seed {result.Seed} --minutes {minutes}{more} --trace");
    }

    return result.Violation is null ? 0 : 1;
}

string? Name(string option)
{
    var index = Array.IndexOf(args, option);
    return index >= 0 && index + 1 < args.Length ? args[index + 1] : null;
}

long? Read(string option) => Name(option) is { } text ? long.Parse(text, CultureInfo.InvariantCulture) : null;

using System.Diagnostics;
using System.Globalization;
using Weir.Storage.Crash;

if (Read("--entities") is { } updates)
{
    var difference = EntityLoad.Run(updates, (int)(Read("--keys") ?? 100_000), Console.WriteLine);
    Console.WriteLine(difference is null ? "equal to the input" : $"FAILED: {difference}");
    return difference is null ? 0 : 1;
}

var seed = (ulong)(Read("--seed") ?? Random.Shared.Next());
var stopwatch = Stopwatch.StartNew();
var isCompaction = args.Contains("--compaction");
var images = Read("--images") ?? 20_000;
var report = (Read("--image"), isCompaction) switch
{
    ({ } image, false) => new CrashCampaign().Replay(seed, (int)image),
    ({ } image, true) => new CompactionCampaign().Replay(seed, (int)image),
    (null, false) => new CrashCampaign().Run(seed, images),
    (null, true) => new CompactionCampaign().Run(seed, images),
};
Console.WriteLine(
    $"{report.Images} crash images from seed {seed}, {report.Steps} write steps, {stopwatch.Elapsed.TotalSeconds:F1} s");
Print("power cut before", report.ImagesByStep);
Print("while the log did", report.ImagesByDoing);
if (report.Failure is null)
{
    Console.WriteLine("every promise was kept");
    return 0;
}

Console.WriteLine($"FAILED: {report.Failure.Text}");
Console.WriteLine(
    "replay: dotnet run -c Release --project tests/Weir.Storage.Crash -- "
    + (isCompaction ? "--compaction " : "")
    + $"--seed {report.Failure.Seed} --image {report.Failure.Image}");
return 1;

static void Print(string title, SortedDictionary<string, long> counts) =>
    Console.WriteLine($"  {title}: {string.Join(", ", counts.Select(pair => $"{pair.Key} {pair.Value}"))}");

long? Read(string name)
{
    var index = Array.IndexOf(args, name);
    return index >= 0 && index + 1 < args.Length ? long.Parse(args[index + 1], CultureInfo.InvariantCulture) : null;
}

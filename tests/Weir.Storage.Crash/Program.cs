using System.Diagnostics;
using System.Globalization;
using Weir.Storage.Crash;

var images = Read("--images", 20_000);
var seed = (ulong)Read("--seed", Random.Shared.Next());
var stopwatch = Stopwatch.StartNew();
var report = new CrashCampaign().Run(seed, images);
Console.WriteLine(
    $"{report.Images} crash images from seed {seed}, {report.Steps} write steps, {stopwatch.Elapsed.TotalSeconds:F1} s");
if (report.Failure is null)
{
    Console.WriteLine("no acknowledged record is missing or changed");
    return 0;
}

Console.WriteLine($"FAILED: {report.Failure}");
Console.WriteLine(
    $"replay: dotnet run -c Release --project tests/Weir.Storage.Crash -- --images 1 --seed {report.Seed}");
return 1;

long Read(string name, long fallback)
{
    var index = Array.IndexOf(args, name);
    return index >= 0 && index + 1 < args.Length ? long.Parse(args[index + 1], CultureInfo.InvariantCulture) : fallback;
}

using System.Diagnostics;

namespace Weir.Client.Tests.Integration;

/// <summary>
/// Compiles a program with the client ahead of time and runs it against a broker. Needs a C compiler as linker (Debian:
/// clang, zlib1g-dev). Without one it is skipped on a developer's machine and fails in CI.
/// </summary>
[Trait("Category", "Aot")]
public sealed class AotTests
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_program_compiled_ahead_of_time_produces_and_consumes()
    {
        var linker = FindLinker();
        if (linker is null)
        {
            const string Missing = "neither clang nor gcc is installed (Debian: apt-get install clang zlib1g-dev)";
            Assert.SkipUnless(Environment.GetEnvironmentVariable("CI") == "true", Missing);
            Assert.Fail(Missing);
        }

        var output = Directory.CreateTempSubdirectory("weir-aot-").FullName;
        try
        {
            var project = Path.Combine(FindRoot(), "tests", "Weir.Client.AotCheck");
            await RunAsync(
                "dotnet", "publish", project, "-c", "Release", "-o", output, "--nologo",
                $"-p:CppCompilerAndLinker={linker}", "-warnaserror");
            await using var broker = await BrokerFixture.StartAsync();
            Assert.Equal("OK", (await RunAsync(Path.Combine(output, "Weir.Client.AotCheck"), broker.Address)).Trim());
        }
        finally
        {
            Directory.Delete(output, recursive: true);
        }
    }

    private static string? FindLinker() => ((string[])["clang", "gcc"]).FirstOrDefault(static name =>
        (Environment.GetEnvironmentVariable("PATH") ?? string.Empty)
            .Split(Path.PathSeparator).Any(directory => File.Exists(Path.Combine(directory, name))));

    private static string FindRoot()
    {
        var directory = new DirectoryInfo(AppContext.BaseDirectory);
        while (directory is not null && !File.Exists(Path.Combine(directory.FullName, "Cluster.sln")))
        {
            directory = directory.Parent;
        }

        return directory?.FullName ?? throw new InvalidOperationException("Cluster.sln is not above the test's directory");
    }

    private static async Task<string> RunAsync(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };

        // What the test host sets for itself would bend the build inside.
        foreach (var name in start.Environment.Keys.Where(static key => key.StartsWith("MSBUILD", StringComparison.OrdinalIgnoreCase)).ToList())
        {
            start.Environment.Remove(name);
        }

        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync(Cancelled);
        var errors = process.StandardError.ReadToEndAsync(Cancelled);
        await process.WaitForExitAsync(Cancelled);
        var (text, error) = (await output, await errors);
        Assert.True(process.ExitCode == 0, $"{program} {string.Join(' ', arguments)} ended with {process.ExitCode}:\n{text}\n{error}");
        return text;
    }
}

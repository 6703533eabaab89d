using System.Diagnostics;
using Xunit;

namespace Weir.Kubernetes.Tests.Control;

/// <summary>What a tool said and how it ended.</summary>
public sealed record ToolOutcome(int ExitCode, string Output, string Error)
{
    /// <summary>Everything, for failures.</summary>
    public override string ToString() => $"exit code {ExitCode}\n{Output}{Error}";
}

/// <summary>kubectl and helm, on the control plane of the tests or on none.</summary>
public sealed class Tool(string name, ControlPlane? plane = null)
{
    public static Tool Helm(ControlPlane? plane = null) => new("helm", plane);

    public static Tool Kubectl(ControlPlane plane) => new("kubectl", plane);

    /// <summary>Runs it; it must end well.</summary>
    public async Task<string> RunAsync(params string[] arguments) => await RunWithInputAsync(string.Empty, arguments);

    /// <summary>Runs it with something on stdin; it must end well.</summary>
    public async Task<string> RunWithInputAsync(string input, params string[] arguments)
    {
        var outcome = await TryAsync(input, arguments);
        Assert.True(outcome.ExitCode == 0, $"{name} {string.Join(' ', arguments)}: {outcome}");
        return outcome.Output;
    }

    /// <summary>Runs it, however it ends.</summary>
    public async Task<ToolOutcome> TryAsync(string input, params string[] arguments)
    {
        var start = new ProcessStartInfo(Binaries.PathOf(name))
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        // Nothing of the user's own, and nothing of the user's changed.
        var home = plane?.Folder ?? Path.Combine(Path.GetTempPath(), "weir-helm");
        start.Environment["KUBECONFIG"] = plane?.KubeConfig ?? "/dev/null";
        start.Environment["HOME"] = home;
        foreach (var (variable, folder) in new[]
        {
            ("HELM_CACHE_HOME", "cache"), ("HELM_CONFIG_HOME", "config"), ("HELM_DATA_HOME", "data"),
        })
        {
            start.Environment[variable] = Path.Combine(home, "helm", folder);
        }

        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        var error = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.StandardInput.WriteAsync(input);
        process.StandardInput.Close();
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return new ToolOutcome(process.ExitCode, await output, await error);
    }
}

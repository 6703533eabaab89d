using System.CommandLine;
using System.Net.Sockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using Weir.Cli.Output;
using Weir.Server.Hosting;
using Weir.Storage.Files;

namespace Weir.Cli.Commands;

/// <summary>Runs a broker in the foreground until it is told to stop.</summary>
internal static class BrokerCommand
{
    private static readonly Option<string?> Data = new("--data") { Description = "Directory of everything the broker keeps." };

    private static readonly Option<string?> Listen = new("--listen")
    {
        Description = "ADDRESS:PORT of the protocol. Default 127.0.0.1:9650.",
    };

    private static readonly Option<string?> Http = new("--http")
    {
        Description = "ADDRESS:PORT of /healthz, /readyz and /metrics, or none. Default 127.0.0.1:9651.",
    };

    private static readonly Option<string?> NodeId = new("--node-id")
    {
        Description = "This broker's id in its cluster, from 0, or a name that ends in '-' and the id, as a pod of a StatefulSet "
            + "has. Default 0.",
    };

    private static readonly Option<string?> Peers = new("--cluster-peers")
    {
        Description = "The voters of the cluster as ID@HOST:PORT,…; the same on all of them. Without it, a cluster of one.",
    };

    private static readonly Option<string?> Rack = new("--rack") { Description = "Replicas are spread over racks." };

    private static readonly Option<string?> Config = new("--config") { Description = "JSON file with settings." };

    private static readonly Option<string[]> Set = new("--set")
    {
        Description = "A setting as NAME=VALUE; may be given again.",
    };

    public static Command Create()
    {
        var command = WeirCommand.Create(
            "broker", "Run a broker. Settings come from --config, then WEIR_NAME in the environment, then the command line.",
            Data, Listen, Http, NodeId, Peers, Rack, Config, Set);
        command.SetAction(static (parsed, cancellationToken) => Terminal.RunAsync(() => RunAsync(parsed, cancellationToken)));
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        try
        {
            var app = BrokerHost.Build(parsed.GetValue(Config), ReadSettings(parsed));
            await using (app.ConfigureAwait(false))
            {
                await app.StartAsync(cancellationToken).ConfigureAwait(false);
                await WaitForStopAsync(app, cancellationToken).ConfigureAwait(false);
            }

            return Environment.ExitCode;
        }
        catch (OptionsValidationException e)
        {
            foreach (var fault in e.Failures)
            {
                Terminal.WriteError(fault);
            }

            return ExitCode.Usage;
        }
        catch (Exception e) when (e is InvalidDataException or FileNotFoundException or InvalidOperationException)
        {
            Terminal.WriteError(e.InnerException?.Message ?? e.Message, "Mend the settings; docs/operations.md lists them.");
            return ExitCode.Usage;
        }
        catch (DataDirectoryInUseException e)
        {
            Terminal.WriteError(e.Message, "Stop the other broker, or give this one a data directory of its own.");
            return ExitCode.Failed;
        }
        catch (Metadata.MetadataException e)
        {
            Terminal.WriteError(e.Message, "Nothing was changed. Mend what it says, or restore the metadata directory from a backup.");
            return ExitCode.Failed;
        }
        catch (Exception e) when (e is SocketException || e.InnerException is SocketException)
        {
            Terminal.WriteError(
                $"cannot listen: {e.Message}", "Choose another --listen or --http, or stop the program that has the port.");
            return ExitCode.Failed;
        }
    }

    /// <summary>The command line's token stands for Ctrl-C and SIGTERM; the host's own for a stop from within.</summary>
    private static async Task WaitForStopAsync(WebApplication app, CancellationToken cancellationToken)
    {
        try
        {
            await app.WaitForShutdownAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            await app.StopAsync(CancellationToken.None).ConfigureAwait(false);
        }
    }

    private static Dictionary<string, string?> ReadSettings(ParseResult parsed)
    {
        var settings = new Dictionary<string, string?>();
        foreach (var (name, option) in new[]
        {
            ("Data", Data), ("Listen", Listen), ("Http", Http), ("NodeId", NodeId), ("ClusterPeers", Peers), ("Rack", Rack),
        })
        {
            if (parsed.GetValue(option) is { } value)
            {
                settings[name] = name == "NodeId" ? ReadNodeId(value) : value;
            }
        }

        foreach (var (name, value) in KeyValue.ParseAll(parsed.GetValue(Set) ?? [], "--set"))
        {
            settings[name] = value;
        }

        return settings;
    }

    /// <summary>The id, also of a name that ends in it; anything else as it is, for the check of the settings to refuse.</summary>
    private static string ReadNodeId(string value)
    {
        var number = value[(value.LastIndexOf('-') + 1)..];
        return number.Length < value.Length - 1 && number.Length > 0 && number.All(char.IsAsciiDigit) ? number : value;
    }
}

/// <summary>Arguments of the form NAME=VALUE.</summary>
internal static class KeyValue
{
    /// <exception cref="UsageException">One has no '='.</exception>
    public static IEnumerable<(string Name, string Value)> ParseAll(IEnumerable<string> texts, string option)
    {
        foreach (var text in texts)
        {
            var equals = text.IndexOf('=', StringComparison.Ordinal);
            if (equals <= 0)
            {
                throw new UsageException($"{option} '{text}' is not NAME=VALUE");
            }

            yield return (text[..equals], text[(equals + 1)..]);
        }
    }
}

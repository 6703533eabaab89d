using System.Reflection;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Prometheus;
using Weir.Metadata;
using Weir.Server.Options;

namespace Weir.Server.Hosting;

/// <summary>Puts a broker into a generic host with its HTTP endpoint.</summary>
public static class BrokerHost
{
    /// <summary>
    /// Builds a host whose start starts the broker and whose stop stops it in order. Settings come from
    /// <paramref name="configFile"/> (JSON), then the environment (<c>WEIR_DATA</c>, <c>WEIR_LISTEN</c>, …), then
    /// <paramref name="settings"/>; the later one wins.
    /// </summary>
    /// <exception cref="OptionsValidationException">Thrown by the host's start, with every fault at once.</exception>
    public static WebApplication Build(string? configFile, IReadOnlyDictionary<string, string?> settings)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        var given = new ConfigurationManager();
        if (configFile is not null)
        {
            given.AddJsonFile(Path.GetFullPath(configFile), optional: false);
        }

        RefuseUnknownKeys(given.GetChildren().Select(static section => section.Key).Concat(settings.Keys));
        builder.Configuration.AddConfiguration(given).AddEnvironmentVariables("WEIR_").AddInMemoryCollection(settings);
        builder.Logging.AddConfiguration(builder.Configuration.GetSection("Logging"));
        builder.Logging.AddSimpleConsole(console =>
        {
            console.SingleLine = true;
            console.TimestampFormat = "yyyy-MM-ddTHH:mm:ss.fffZ ";
            console.UseUtcTimestamp = true;
        });
        builder.Logging.AddFilter("Microsoft", LogLevel.Warning);

        // A start that fails is told once, in words, by whoever called it.
        builder.Logging.AddFilter("Microsoft.Extensions.Hosting", LogLevel.None);
        builder.Services.AddOptions<BrokerOptions>().Bind(builder.Configuration);
        builder.Services.AddSingleton<IValidateOptions<BrokerOptions>, BrokerOptionsValidator>();
        builder.Services.TryAddSingleton(TimeProvider.System);
        builder.Services.AddSingleton<BrokerService>();
        builder.Services.AddHostedService(static services => services.GetRequiredService<BrokerService>());
        builder.Services.Configure<HostOptions>(static host => host.ShutdownTimeout = TimeSpan.FromSeconds(30));
        builder.Services.AddRoutingCore();
        var http = BindHttp(builder);
        var app = builder.Build();
        if (http)
        {
            MapEndpoints(app);
        }

        return app;
    }

    /// <summary>A setting with a wrong name must not be taken for one that is set. The environment may hold other WEIR_ names.</summary>
    private static void RefuseUnknownKeys(IEnumerable<string> keys)
    {
        var known = typeof(BrokerOptions).GetProperties(BindingFlags.Public | BindingFlags.Instance)
            .Select(static property => property.Name).Append("Logging").ToList();
        var faults = keys.Where(key => !known.Contains(key, StringComparer.OrdinalIgnoreCase))
            .Select(key => $"'{key}' is no setting; did you mean '{NearestName.Find(known, key)}'?").ToList();
        if (faults.Count > 0)
        {
            throw new OptionsValidationException(string.Empty, typeof(BrokerOptions), faults);
        }
    }

    private static bool BindHttp(WebApplicationBuilder builder)
    {
        var options = builder.Configuration.Get<BrokerOptions>() ?? new BrokerOptions();
        if (!System.Net.IPEndPoint.TryParse(options.Http, out var endPoint) || options.Http == "none")
        {
            builder.Services.AddSingleton<Microsoft.AspNetCore.Hosting.Server.IServer, NoServer>();
            return false;
        }

        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxConcurrentConnections = 64;
            kestrel.Limits.MaxRequestBodySize = 0;
            kestrel.Listen(endPoint);
        });
        return true;
    }

    private static void MapEndpoints(WebApplication app)
    {
        app.UseRouting();
        app.MapGet("/healthz", static (HttpContext context) => Answer(context, service => service.Broker is not null));
        app.MapGet("/readyz", static (HttpContext context) => Answer(context, service => service.Broker?.IsReady == true));
        app.MapGet("/metrics", static async (HttpContext context) =>
        {
            if (context.RequestServices.GetRequiredService<BrokerService>().Broker is not { } broker)
            {
                context.Response.StatusCode = StatusCodes.Status503ServiceUnavailable;
                return;
            }

            context.Response.ContentType = PrometheusConstants.TextContentTypeWithVersionAndEncoding;
            await broker.Metrics.Registry
                .CollectAndExportAsTextAsync(context.Response.Body, context.RequestAborted).ConfigureAwait(false);
        });
    }

    private static Task Answer(HttpContext context, Func<BrokerService, bool> holds)
    {
        var isGood = holds(context.RequestServices.GetRequiredService<BrokerService>());
        context.Response.StatusCode = isGood ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable;
        return context.Response.WriteAsync(isGood ? "ok\n" : "not ready\n");
    }

    /// <summary>Stands in where no HTTP endpoint is wanted: a web host insists on a server.</summary>
    private sealed class NoServer : Microsoft.AspNetCore.Hosting.Server.IServer
    {
        public Microsoft.AspNetCore.Http.Features.IFeatureCollection Features { get; } =
            new Microsoft.AspNetCore.Http.Features.FeatureCollection();

        public Task StartAsync<TContext>(
            Microsoft.AspNetCore.Hosting.Server.IHttpApplication<TContext> application, CancellationToken cancellationToken)
            where TContext : notnull => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public void Dispose()
        {
        }
    }
}

/// <summary>Starts and stops the broker with its host.</summary>
internal sealed class BrokerService(
    IOptions<BrokerOptions> options, TimeProvider time, ILogger<Broker> logger, IHostApplicationLifetime lifetime)
    : IHostedService
{
    private const int FailedExitCode = 3;

    /// <summary>The broker; null before it has recovered.</summary>
    public Broker? Broker { get; private set; }

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        Broker = await Broker.StartAsync(options.Value, time, logger, cancellationToken).ConfigureAwait(false);
        _ = StopWhenFailedAsync(Broker);
    }

    /// <summary>A broker that cannot go on ends its process: whoever started it starts it again.</summary>
    private async Task StopWhenFailedAsync(Broker broker)
    {
        await broker.Failed.ConfigureAwait(false);
        Environment.ExitCode = FailedExitCode;
        lifetime.StopApplication();
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        if (Broker is not null)
        {
            await Broker.DisposeAsync().ConfigureAwait(false);
        }
    }
}
